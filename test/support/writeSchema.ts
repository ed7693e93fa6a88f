import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { readLiveSchema } from "../../src/mysql/migrator/schemaReader.js";
import { schemaText } from "../../src/mysql/migrator/schemaText.js";
import { createDatabase, startMysqlServer } from "../../src/testing/index.js";
import { withDataSource } from "../integration/mysql/testDataSource.js";
import { schemaDiagram } from "./schemaDiagram.js";

/**
 * Writes the schema that the migrations make into `test/schema.sql`, and as a diagram into `docs/schema.md`: to be run, and its difference
 * read, when they change.
 */
async function writeSchema(): Promise<void> {
  const server = await startMysqlServer();
  try {
    const { environment } = await createDatabase({ ...server.environment, REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000" });
    const schema = await withDataSource(environment, {}, readLiveSchema);
    await write("../schema.sql", schemaText(schema));
    await write("../../docs/schema.md", schemaDiagram(schema));
  } finally {
    await server.stop();
  }
}

async function write(path: string, text: string): Promise<void> {
  await writeFile(fileURLToPath(new URL(path, import.meta.url)), text);
}

await writeSchema();
