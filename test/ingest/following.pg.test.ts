import { otherServers } from '../support/postgres.ts';
import { followsChanges } from './following.ts';

followsChanges('on the PostgreSQL that comes with Starling');
for (const { major, binariesDirectory } of otherServers()) followsChanges(`on PostgreSQL ${major}`, binariesDirectory);
