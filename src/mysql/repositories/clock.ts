/** The database's clock in Unix nanoseconds, at the start of the statement. Sessions run in UTC. */
export const NOW_NS = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) * 1000";

/** How long a media node is alive after a heartbeat; one from further ahead than this is not believed either. */
export const ALIVE_MS = 10_000;
const ALIVE_NS = `${ALIVE_MS}000000`;

/** The condition that a row of container_heartbeat, called `alias`, is that of a live media node. */
export function isAlive(alias: string): string {
  return `${alias}.heartbeat BETWEEN ${NOW_NS} - ${ALIVE_NS} AND ${NOW_NS} + ${ALIVE_NS}`;
}
