/** mysql2's answer to a statement. */
export type Answer = [rows: unknown, fields: unknown];

const IN_TRANSACTION = 1;

/** Whether the server says that no transaction is open. Its status comes with answers that hold no rows; the last answer of a CALL is one. */
export function saysOutside([rows, fields]: Answer): boolean {
  const [header, field] = Array.isArray(fields) ? [(rows as unknown[]).at(-1), fields.at(-1)] : [rows, fields];
  const { serverStatus } = ((field === undefined && header) || {}) as { serverStatus?: number };
  return serverStatus !== undefined && (serverStatus & IN_TRANSACTION) === 0;
}
