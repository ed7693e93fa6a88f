import type { MigratorSession } from "./session.js";

/** Another connection that keeps this one waiting. */
export interface Holder {
  readonly connectionId: number;
  /** The rest only where the migrating user may see it: its own connections, or all with PROCESS. */
  readonly user?: string;
  readonly host?: string;
  /** How long it has been in its present state. */
  readonly seconds?: number;
  /** `Sleep` is a connection that does nothing, in an open transaction perhaps. */
  readonly command?: string;
}

const COLUMNS = "p.ID AS id, p.USER AS user, p.HOST AS host, p.TIME AS seconds, p.COMMAND AS command";
const PROCESS = `SELECT ${COLUMNS} FROM information_schema.PROCESSLIST p WHERE p.ID = ?`;
/** MySQL, for those who may read its performance_schema: exactly who holds the table. */
const METADATA_LOCKS = `SELECT DISTINCT t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS user, t.PROCESSLIST_HOST AS host,
    t.PROCESSLIST_TIME AS seconds, t.PROCESSLIST_COMMAND AS command
  FROM performance_schema.metadata_locks l
  JOIN performance_schema.threads t ON t.THREAD_ID = l.OWNER_THREAD_ID
  WHERE l.OBJECT_SCHEMA = DATABASE() AND l.OBJECT_NAME = ? AND l.LOCK_STATUS = 'GRANTED'
    AND t.PROCESSLIST_ID <> CONNECTION_ID()
  LIMIT 5`;
/** Both engines, for those with PROCESS: whose transactions are open in this database, the oldest first. */
const TRANSACTIONS = `SELECT ${COLUMNS} FROM information_schema.INNODB_TRX x
  JOIN information_schema.PROCESSLIST p ON p.ID = x.TRX_MYSQL_THREAD_ID
  WHERE p.DB = DATABASE() AND p.ID <> CONNECTION_ID()
  ORDER BY x.TRX_STARTED LIMIT 5`;

interface Row {
  readonly id: string | number;
  readonly user: string | null;
  readonly host: string | null;
  readonly seconds: string | number | null;
  readonly command: string | null;
}

/** The connections that may hold `table`; empty where this user may not see them. Never throws for lack of a privilege. */
export async function holdersOf(session: MigratorSession, table: string): Promise<readonly Holder[]> {
  const exact = await session.query<Row>(METADATA_LOCKS, [table]).catch(() => []);
  if (exact.length > 0) return exact.map(toHolder);
  return (await session.query<Row>(TRANSACTIONS).catch(() => [])).map(toHolder);
}

/** What is known of one connection. */
export async function describeConnection(session: MigratorSession, connectionId: number): Promise<Holder> {
  const [row] = await session.query<Row>(PROCESS, [connectionId]).catch(() => []);
  return row ? toHolder(row) : { connectionId };
}

/** `connection 12 (app@10.0.0.1, Sleep for 35 s)`. */
export function holderText({ connectionId, user, host, seconds, command }: Holder): string {
  if (user === undefined) return `connection ${connectionId}`;
  const since = seconds === undefined ? "" : ` for ${seconds} s`;
  return `connection ${connectionId} (${user}@${host}, ${command}${since})`;
}

function toHolder({ id, user, host, seconds, command }: Row): Holder {
  return {
    connectionId: Number(id),
    ...(user !== null && { user }),
    ...(host !== null && { host }),
    ...(seconds !== null && { seconds: Number(seconds) }),
    ...(command !== null && { command }),
  };
}
