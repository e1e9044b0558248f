import { otherServers } from '../support/postgres.ts';
import { followsChanges } from './following.ts';

followsChanges('as it comes with Starling');
for (const { major, binariesDirectory } of otherServers()) followsChanges(String(major), binariesDirectory);
