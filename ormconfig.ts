import { loadDotenv, loadMysqlConfig } from "./src/config/index.js";
import { createMigrationDataSource } from "./src/mysql/migrator/migrator.js";

loadDotenv();

/** For TypeORM's command line, which wants exactly one DataSource exported. */
export const dataSource = createMigrationDataSource(loadMysqlConfig());
