import type { ColumnType } from '../../shared/types/type.ts';

const NUMERIC = /^numeric\((\d+),(\d+)\)$/;

/** Whether every value of the existing type (as the catalogue names it) is a value of the declared one. */
export function isWider(existing: string, declared: ColumnType): boolean {
  switch (declared.kind) {
    case 'bigint':
      return existing === 'integer';
    case 'numeric': {
      if (!declared.digits) return NUMERIC.test(existing) || existing === 'integer' || existing === 'bigint';
      const { precision, scale } = declared.digits;
      const places = precision - scale;
      const [, oldPrecision, oldScale] = NUMERIC.exec(existing)?.map(Number) ?? [];
      if (oldPrecision === undefined || oldScale === undefined) {
        return (existing === 'integer' && places >= 10) || (existing === 'bigint' && places >= 19);
      }
      return scale >= oldScale && places >= oldPrecision - oldScale;
    }
    default:
      return false;
  }
}
