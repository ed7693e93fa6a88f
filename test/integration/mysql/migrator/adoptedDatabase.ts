/** A production database as it was made by hand, before this package: the tables with today's keys, full of rows. */

export interface Executor {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

/** How it was made. Each default is what a plain `CREATE TABLE` of today gives. */
export interface Handmade {
  /** Default: the server's own for utf8mb4, which differs between the engines. */
  readonly charset?: string;
  readonly collation?: string;
  /** Of ids. Default `varchar(64)`. */
  readonly idType?: string;
  /** Whether columns stand the other way round. */
  readonly reversed?: boolean;
  /** Tables whose foreign keys are missing. */
  readonly withoutForeignKeys?: readonly string[];
  /** Whether keys have names of their own. */
  readonly named?: boolean;
  /** More definitions, by table. */
  readonly more?: Readonly<Record<string, readonly string[]>>;
  /** Columns defined otherwise, by table and column. */
  readonly columns?: Readonly<Record<string, string>>;
  readonly options?: string;
}

interface Table {
  readonly name: string;
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly keys: readonly string[];
  readonly foreignKeys: readonly string[];
}

const ID = "ID";
const CASCADE = "ON DELETE CASCADE";
const participant = `(participant_id) REFERENCES participant_meeting (participant_id) ${CASCADE}`;

/** Parents before children. */
const TABLES: readonly Table[] = [
  {
    name: "container_heartbeat",
    columns: [
      ["container_id", `${ID} NOT NULL`],
      ["host", "varchar(255)"],
      ["tenant", "varchar(255)"],
      ["heartbeat", "BIGINT"],
    ],
    keys: ["PRIMARY KEY (container_id)", "KEY (tenant)"],
    foreignKeys: [],
  },
  {
    name: "container_status",
    columns: [
      ["container_id", `${ID} NOT NULL`],
      ["status", "TINYINT(1)"],
    ],
    keys: ["PRIMARY KEY (container_id)"],
    foreignKeys: [],
  },
  {
    name: "worker_container",
    columns: [
      ["container_id", ID],
      ["worker_id", `${ID} NOT NULL`],
    ],
    keys: ["PRIMARY KEY (worker_id)", "KEY (container_id)"],
    foreignKeys: [],
  },
  {
    name: "router_worker",
    columns: [
      ["worker_id", ID],
      ["router_id", `${ID} NOT NULL`],
    ],
    keys: ["PRIMARY KEY (router_id)", "KEY (worker_id)"],
    foreignKeys: ["(worker_id) REFERENCES worker_container (worker_id)"],
  },
  {
    name: "meeting_status",
    columns: [
      ["meeting_id", `${ID} NOT NULL`],
      ["enabled", "TINYINT(1)"],
    ],
    keys: ["PRIMARY KEY (meeting_id)"],
    foreignKeys: [],
  },
  {
    name: "router_meeting",
    columns: [
      ["router_id", ID],
      ["meeting_id", ID],
      ["producer_capacity", "INT"],
      ["consumer_capacity", "INT"],
      ["capacity", "INT"],
      ["container_id", ID],
    ],
    keys: ["KEY (router_id)", "KEY (meeting_id)"],
    foreignKeys: [
      `(router_id) REFERENCES router_worker (router_id) ${CASCADE}`,
      `(meeting_id) REFERENCES meeting_status (meeting_id) ${CASCADE}`,
    ],
  },
  {
    name: "participant_meeting",
    columns: [
      ["meeting_id", ID],
      ["participant_id", `${ID} NOT NULL`],
      ["instance_id", ID],
    ],
    keys: ["PRIMARY KEY (participant_id)", "KEY (meeting_id)"],
    foreignKeys: [`(meeting_id) REFERENCES meeting_status (meeting_id) ${CASCADE}`],
  },
  ...["producer", "consumer"].map((role) => ({
    name: `participant_${role}_router`,
    columns: [["participant_id", `${ID} NOT NULL`] as const, ["router_id", ID] as const],
    keys: ["PRIMARY KEY (participant_id)"],
    foreignKeys: [participant, `(router_id) REFERENCES router_worker (router_id) ${CASCADE}`],
  })),
  ...["producer", "consumer"].map((role) => ({
    name: `participant_${role}_transport`,
    columns: [["participant_id", `${ID} NOT NULL`] as const, ["transport_id", ID] as const],
    keys: ["PRIMARY KEY (participant_id)", "UNIQUE KEY (transport_id)"],
    foreignKeys: [participant],
  })),
  {
    name: "participant_producers",
    columns: [
      ["participant_id", ID],
      ["producers", "INT"],
      ["kind", ID],
      ["producer_id", ID],
      ["meeting_id", ID],
      ["transport_id", ID],
    ],
    keys: [],
    foreignKeys: [participant, `(transport_id) REFERENCES participant_producer_transport (transport_id) ${CASCADE}`],
  },
  {
    name: "participant_consumers",
    columns: [
      ["participant_id", ID],
      ["consumers", "INT"],
      ["target_participant_id", ID],
      ["kind", ID],
      ["consumer_id", ID],
      ["meeting_id", ID],
      ["transport_id", ID],
    ],
    keys: ["UNIQUE KEY (participant_id, target_participant_id, kind)"],
    foreignKeys: [
      participant,
      `(target_participant_id) REFERENCES participant_meeting (participant_id) ${CASCADE}`,
      `(transport_id) REFERENCES participant_consumer_transport (transport_id) ${CASCADE}`,
    ],
  },
];

export const ADOPTED_TABLES: readonly string[] = TABLES.map(({ name }) => name);

/** Creates the tables, empty. */
export async function createHandmadeTables(database: Executor, handmade: Handmade = {}): Promise<void> {
  for (const table of TABLES) await database.query(createSql(table, handmade));
}

function createSql({ name, columns, keys, foreignKeys }: Table, handmade: Handmade): string {
  const named = (kind: string, at: number) => (handmade.named ? `CONSTRAINT old_${kind}_${name}_${at} ` : "");
  const columnSql = ([column, type]: readonly [string, string]) =>
    `${column} ${handmade.columns?.[`${name}.${column}`] ?? type.replace(ID, handmade.idType ?? "varchar(64)")}`;
  const parts = [
    ...(handmade.reversed ? columns.toReversed() : columns).map(columnSql),
    ...keys,
    ...(handmade.withoutForeignKeys?.includes(name) ? [] : foreignKeys).map(
      (key, at) => `${named("fk", at)}FOREIGN KEY ${key}`,
    ),
    ...(handmade.more?.[name] ?? []),
  ];
  const collate = handmade.collation ? ` COLLATE=${handmade.collation}` : "";
  const charset = `DEFAULT CHARSET=${handmade.charset ?? "utf8mb4"}${collate}`;
  return `CREATE TABLE ${name} (${parts.join(", ")}) ENGINE=InnoDB ${charset} ${handmade.options ?? ""}`;
}

export interface Population {
  readonly meetings: number;
  /** Each consumes everyone else's audio: consumers grow with the square. */
  readonly peoplePerMeeting: number;
}

/** About 100,000 rows, nearly all of them consumers. */
export const MANY: Population = { meetings: 50, peoplePerMeeting: 44 };
export const FEW: Population = { meetings: 3, peoplePerMeeting: 4 };

const NODES = 4;

/** Fills the tables as a fleet in service has them. Ids hold what collations and conversions might trip over. */
export async function fillHandmadeTables(
  database: Executor,
  { meetings, peoplePerMeeting }: Population,
): Promise<void> {
  const insert = (into: string, rows: unknown[][]) => database.query(`INSERT INTO ${into} VALUES ?`, [rows]);
  const range = (length: number) => Array.from({ length }, (_, n) => n);
  const beat = 1_732_312_345_678_901_234n;
  await insert(
    "container_heartbeat (container_id, host, tenant, heartbeat)",
    range(NODES).map((n) => [`node-${n}`, n ? `10.0.0.${n}` : null, n ? "acme" : null, (beat + BigInt(n)).toString()]),
  );
  await insert(
    "container_status (container_id, status)",
    range(NODES).map((n) => [`node-${n}`, n % 2]),
  );
  const workers = range(NODES).flatMap((n) => [0, 1].map((w) => [`node-${n}`, `node-${n}-w${w}`]));
  await insert("worker_container (container_id, worker_id)", workers);
  const ids = range(meetings).map((m) => `meeting-é-${m}`);
  await insert(
    "meeting_status (meeting_id, enabled)",
    ids.map((id, m) => [id, m % 5 ? 1 : null]),
  );
  const routers = ids.flatMap((id, m) => [0, 1].map((r) => ({ id: `${id}-r${r}`, meeting: id, node: m % NODES, r })));
  await insert(
    "router_worker (worker_id, router_id)",
    routers.map(({ id, node, r }) => [`node-${node}-w${r}`, id]),
  );
  await insert(
    "router_meeting (router_id, meeting_id, producer_capacity, consumer_capacity, container_id)",
    routers.map(({ id, meeting, node, r }) => [id, meeting, r ? null : 20, r ? 40 : null, `node-${node}`]),
  );
  const people = ids.flatMap((meeting) =>
    range(peoplePerMeeting).map((p) => [meeting, `${meeting}-Asha-${p}`, p ? "tab" : null]),
  );
  await insert("participant_meeting (meeting_id, participant_id, instance_id)", people);
  await fillFromPeople(database);
}

/** On the server, since these are many. */
async function fillFromPeople(database: Executor): Promise<void> {
  for (const [n, role] of ["producer", "consumer"].entries()) {
    await database.query(
      `INSERT INTO participant_${role}_router (participant_id, router_id)
       SELECT participant_id, CONCAT(meeting_id, '-r${n}') FROM participant_meeting`,
    );
    await database.query(
      `INSERT INTO participant_${role}_transport (participant_id, transport_id)
       SELECT participant_id, CONCAT(participant_id, '-${role[0]}t') FROM participant_meeting`,
    );
  }
  await database.query(
    `INSERT INTO participant_producers (participant_id, producers, kind, producer_id, meeting_id, transport_id)
     SELECT participant_id, 1, 'audio', CONCAT(participant_id, '-audio'), meeting_id, CONCAT(participant_id, '-pt')
     FROM participant_meeting`,
  );
  await database.query(
    `INSERT INTO participant_consumers
       (participant_id, consumers, target_participant_id, kind, consumer_id, meeting_id, transport_id)
     SELECT a.participant_id, 1, b.participant_id, 'audio', CONCAT(SUBSTR(SHA2(a.participant_id, 256), 1, 16), SUBSTR(SHA2(b.participant_id, 256), 1, 16)),
       a.meeting_id, CONCAT(a.participant_id, '-ct')
     FROM participant_meeting a JOIN participant_meeting b ON b.meeting_id = a.meeting_id
     WHERE a.participant_id <> b.participant_id`,
  );
}

/** A fingerprint of each table's rows, over every column of today and every byte; the same in whatever order they stand. */
export async function rowPrints(database: Executor): Promise<Record<string, string>> {
  const prints: Record<string, string> = {};
  for (const { name, columns } of TABLES) {
    const row = columns.map(([column]) => `IFNULL(HEX(${column}), 'NULL')`).join(", ");
    const [found] = (await database.query(
      `SELECT COUNT(*) AS n, COALESCE(SUM(CRC32(CONCAT_WS('|', ${row}))), 0) AS total FROM ${name}`,
    )) as { n: unknown; total: unknown }[];
    prints[name] = `${found?.n} rows, ${found?.total}`;
  }
  return prints;
}
