/**
 * What the generator makes names of. Invented, and chosen to be awkward: apostrophes of both kinds, letters outside
 * ASCII, commas, ampersands. Where a list is barely longer than what is drawn from it, some of those are always drawn.
 */

/** 24, of which 20 are drawn. */
export const SURNAMES = [
  "O'Shaunessy", "D'Arcy-Wells", "N'Dour", "L'Estrange", 'Brandreth', 'Catchpole', 'Dunmore', 'Eastlake',
  'Fennimore', 'Garside', 'Hollins', 'Ibbotson', 'Jessop', 'Kershaw', 'Lindqvist', 'Marrable', 'Nørgaard', 'Oyelaran',
  'Pemberton', 'Quayle', 'Rastrick', 'Sørensen', 'Tattersall', 'Żuławski',
] as const;

export const FIRST_NAMES = [
  'Abimbola', 'Beatrix', 'Cosmo', 'Dilys', 'Eoin', 'Femke', 'Gethin', 'Hana', 'Idris', 'Jocasta', 'Kwame', 'Liesel',
  'Mairead', 'Nerys', 'Olwen', 'Priya', 'Quentin', 'Rosalind', 'Søren', 'Tamsin', 'Una', 'Viktor', 'Wilf', 'Zoë',
] as const;

/** Eight; a null is where nobody wrote down the place. */
export const DEPARTMENTS = [
  { name: 'Order Desk', location: 'Harrogate' },
  { name: 'Procurement', location: 'Harrogate' },
  { name: 'Cutting & Sewing', location: 'Todmorden' },
  { name: 'Goods Out', location: 'Todmorden' },
  { name: 'Ledgers', location: 'Harrogate' },
  { name: 'Estates', location: null },
  { name: 'Press, Events & Brand', location: 'Whitby' },
  { name: 'People', location: null },
] as const;

/** What a department is called after the next reorganisation. */
export const DEPARTMENT_SUFFIXES = ['Group', 'Team', 'Office', 'Hub', 'Collective'] as const;

export const STREETS = [
  'Almoner Row', 'Bellfounder Street', 'Cartwright Rise', 'Dovecote Lane', "Executioner's Walk", 'Fellmonger Yard',
  'Gasworks Parade', "King's Head Passage", 'Lamplighter Close', 'Mulberry Terrace', 'Ropewalk', 'Tenterground Hill',
] as const;

export const BUILDINGS = [
  'Unit 7', 'Flat 2b', 'The Old Dairy', 'Floor 3, East Wing', 'c/o Reception', 'Dock 14',
] as const;

export const DISTRICTS = ['Calderside', 'Lower Weald', 'North Fenland', 'Saltmarsh', 'Vale of Orrin'] as const;

export const CITIES = [
  'Ashgrove', 'Port Merrin', 'Kings Tarrow', 'Bad Lauterfeld', 'Saint-Brévin', 'Villanova', 'Östhamn', 'Llanfedw',
  "Coeur d'Orme", 'Bishop’s Wick', 'Torrealta', 'Nowy Brzeg',
] as const;

/** 33, of which 30 are drawn. */
export const COUNTRIES = [
  'Curaçao', 'Côte d’Ivoire', 'São Tomé and Príncipe', 'Réunion', 'Åland Islands', 'Türkiye', 'Trinidad & Tobago',
  'Tanzania, United Republic of', "Lao People's Democratic Republic", 'Belgium', 'Botswana', 'Chile', 'Denmark',
  'Ecuador', 'Estonia', 'Ghana', 'Greece', 'Jamaica', 'Latvia', 'Malta', 'Mongolia', 'Nepal', 'Norway', 'Oman',
  'Panama', 'Portugal', 'Rwanda', 'Slovenia', 'Sweden', 'Tonga', 'Uruguay', 'Viet Nam', 'Zambia',
] as const;

/** How a company is called after its owners, three surnames each; taken in turn. */
export const COMPANY_FORMS: readonly ((a: string, b: string, c: string) => string)[] = [
  (a, b, c) => `${a}, ${b} & ${c}`,
  (a) => `${a} Brothers`,
  (a, b) => `The "${a} ${b}" Company, Ltd.`,
  (a, b) => `${a} / ${b}`,
  (a) => `${a} & Daughters`,
];

export const MATERIALS = [
  'Canvas', 'Corduroy', 'Denim', 'Felt', 'Hessian', 'Jute', 'Linen', 'Mesh', 'Quilted', 'Tweed', 'Velvet', 'Waxed',
] as const;

export const FOLDERS = [
  '/archive', '/archive/winter', '/atelier/a', '/atelier/b', '/drafts', '/drafts/2nd look', '/final', '/licensed',
  '/market', '/outlet', '/print', '/print/large', '/samples', '/workshop',
] as const;

export const CURRENCY_CODES = ['GBP', 'USD', 'EUR'] as const;

export const PAYMENT_TYPES = ['SALES_RECEIPT', 'SALES_REFUND', 'PURCHASE_PAYMENT', 'PURCHASE_REFUND'] as const;
