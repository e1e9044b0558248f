import type { Row } from './copy.ts';
import { dayOf, dayText, momentText } from './calendar.ts';
import type { Random } from './random.ts';
import { FOLDERS, MATERIALS } from './words.ts';

export const DESIGN_COLUMNS = 'design_id, created_at, design_name, file_location, file_name, last_updated';

const SUFFIX_ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** A design that came into the system at `createdAt`; its file carries the date of an earlier day. */
export function designRow(random: Random, id: number, createdAt: number): Row {
  const material = random.pick(MATERIALS);
  const drawnOn = dayText(dayOf(createdAt) - random.int(1, 400)).replaceAll('-', '');
  const file = `${material.toLowerCase()}-${drawnOn}-${random.text(4, SUFFIX_ALPHABET)}.json`;
  return [id, momentText(createdAt), material, random.pick(FOLDERS), file, momentText(createdAt)];
}
