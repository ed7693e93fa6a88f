/** What a database's schema is, told alike for MySQL and MariaDB: display widths, spellings and engines' own defaults are evened out. */

export interface LiveSchema {
  readonly engine: "mysql" | "mariadb";
  /**
   * Whether a foreign key works on while its two ends have different collations, as InnoDB's own do on MySQL. MySQL 9.6 and
   * later refuse every DELETE of a parent meanwhile (1451), MariaDB refuses the change (1832, 1833).
   */
  readonly foreignKeysBend: boolean;
  /** What `VERSION()` answers. */
  readonly version: string;
  readonly database: string;
  /** The database's default collation. */
  readonly collation: string;
  /** Base tables by name, in the order of their names. */
  readonly tables: ReadonlyMap<string, LiveTable>;
  readonly views: ReadonlySet<string>;
  /** Foreign keys of other databases' tables that reference tables of this one, as far as this user may see them. */
  readonly referencedFromElsewhere: readonly LiveForeignKey[];
}

export interface LiveTable {
  readonly name: string;
  /** `InnoDB`, `MyISAM` … */
  readonly engine: string;
  readonly collation: string;
  /** `Dynamic`, `Compact` … */
  readonly rowFormat: string;
  readonly partitioned: boolean;
  /** In the table's order. */
  readonly columns: readonly LiveColumn[];
  /** By name; the primary key is named `PRIMARY`. */
  readonly indexes: readonly LiveIndex[];
  readonly foreignKeys: readonly LiveForeignKey[];
  readonly triggers: readonly LiveTrigger[];
  readonly checks: readonly LiveCheck[];
}

export interface LiveColumn {
  readonly name: string;
  /** Lower case, without display width but for `tinyint(1)`: `varchar(64)`, `int`, `bigint unsigned`, `datetime(3)`. */
  readonly type: string;
  readonly nullable: boolean;
  /** As an SQL expression: `500`, `'x'`, `current_timestamp(3)`. Undefined: none, which for a nullable column is NULL. */
  readonly default: string | undefined;
  /** Of text columns. */
  readonly charset: string | undefined;
  readonly collation: string | undefined;
  /** `auto_increment`, `generated always as (…) stored`, `on update current_timestamp`, `invisible`; mostly empty. */
  readonly extra: string;
}

export interface LiveIndex {
  readonly name: string;
  readonly unique: boolean;
  /** `BTREE`, `FULLTEXT` … */
  readonly kind: string;
  readonly columns: readonly LiveIndexColumn[];
  /** False: the optimizer leaves it alone (MySQL's INVISIBLE, MariaDB's IGNORED). */
  readonly visible: boolean;
}

export interface LiveIndexColumn {
  /** The column's name, or an expression in parentheses. */
  readonly name: string;
  /** Characters indexed, when not the whole column. */
  readonly prefix: number | undefined;
  readonly descending: boolean;
}

/** `RESTRICT` is told as `NO ACTION`: InnoDB makes no difference, and the engines call the default differently. */
export type ReferentialAction = "CASCADE" | "NO ACTION" | "SET NULL" | "SET DEFAULT";

export interface LiveForeignKey {
  readonly name: string;
  /** With its database before a dot when that is another one. */
  readonly table: string;
  readonly columns: readonly string[];
  /** `table` has its database before a dot when that is another one. */
  readonly references: { readonly table: string; readonly columns: readonly string[] };
  readonly onDelete: ReferentialAction;
  readonly onUpdate: ReferentialAction;
}

export interface LiveTrigger {
  readonly name: string;
  /** `BEFORE DELETE`, `AFTER INSERT` … */
  readonly event: string;
  readonly table: string;
  /** What follows FOR EACH ROW, as it was written. */
  readonly body: string;
}

export interface LiveCheck {
  readonly name: string;
  readonly clause: string;
}

export interface TableSize {
  /** The engine's estimate. */
  readonly rows: number;
  /** Data and indexes. */
  readonly bytes: number;
}

/** The index of this name. */
export function indexOf(table: LiveTable, name: string): LiveIndex | undefined {
  return table.indexes.find((index) => index.name === name);
}

/** The columns of the primary key, in order; undefined when there is none. */
export function primaryKeyOf(table: LiveTable): readonly string[] | undefined {
  return indexOf(table, "PRIMARY")?.columns.map(({ name }) => name);
}
