import type { Attributes } from "../../telemetry/telemetry.js";

/** What the pool is called in metrics; those of several containers are added up. */
export const POOL: Attributes = { "db.client.connection.pool.name": "mysql" };
