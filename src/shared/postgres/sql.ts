import pg from 'pg';

export const identifier = (name: string): string => pg.escapeIdentifier(name);
export const literal = (value: string): string => pg.escapeLiteral(value);

/** `"schema"."name"` */
export function qualified(schema: string, name: string): string {
  return `${identifier(schema)}.${identifier(name)}`;
}

export function identifiers(names: readonly string[], prefix = ''): string {
  return names.map((name) => prefix + identifier(name)).join(', ');
}
