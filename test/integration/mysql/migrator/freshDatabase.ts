import { closeDataSource, type DataSource, openDataSource } from "../../../../src/mysql/dataSource.js";
import { createMigrationDataSource, type MigrationOptions } from "../../../../src/mysql/migrator/migrator.js";
import { readLiveSchema } from "../../../../src/mysql/migrator/schemaReader.js";
import { schemaText } from "../../../../src/mysql/migrator/schemaText.js";
import type { SteppedMigration } from "../../../../src/mysql/migrator/steppedMigration.js";
import type { Environment, MysqlServer } from "../../../../src/testing/index.js";
import { mysqlConfig, withDataSource } from "../testDataSource.js";

/** An empty database beside the server's own, which every user of that may use. */
export async function freshDatabase(server: MysqlServer, name: string): Promise<Environment> {
  const database = `doordarshan_${name}`;
  await withDataSource(server.environment, {}, async (dataSource) => {
    await dataSource.query(`DROP DATABASE IF EXISTS ${database}`);
    await dataSource.query(`CREATE DATABASE ${database}`);
  });
  return { ...server.environment, MYSQL_DB_NAME: database };
}

/** The whole schema as text. */
export function schemaOf(environment: Environment): Promise<string> {
  return withDataSource(environment, {}, async (dataSource) => schemaText(await readLiveSchema(dataSource)));
}

/** A migrating DataSource that knows these migrations instead of the package's. */
export async function withMigrations<T>(
  environment: Environment,
  migrations: readonly (new () => SteppedMigration)[] | undefined,
  use: (dataSource: DataSource) => Promise<T>,
  options: MigrationOptions = {},
): Promise<T> {
  const dataSource = createMigrationDataSource(mysqlConfig(environment), options);
  if (migrations) dataSource.setOptions({ migrations: [...migrations] });
  await openDataSource(dataSource, 5_000);
  try {
    return await use(dataSource);
  } finally {
    await closeDataSource(dataSource, 1_000);
  }
}
