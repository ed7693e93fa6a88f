import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { readLiveSchema } from "../../src/mysql/migrator/schemaReader.js";
import { schemaText } from "../../src/mysql/migrator/schemaText.js";
import { createDatabase, startMysqlServer } from "../../src/testing/index.js";
import { withDataSource } from "../integration/mysql/testDataSource.js";

/** Writes the schema that the migrations make into `test/schema.sql`: to be run, and its difference read, when they change. */
async function writeSchema(): Promise<void> {
  const file = fileURLToPath(new URL("../schema.sql", import.meta.url));
  const server = await startMysqlServer();
  try {
    const { environment } = await createDatabase({ ...server.environment, REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" });
    const text = await withDataSource(environment, {}, async (database) => schemaText(await readLiveSchema(database)));
    await writeFile(file, text);
  } finally {
    await server.stop();
  }
}

await writeSchema();
