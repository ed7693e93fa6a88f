import type { MysqlConfig } from "../../../../src/config/types.js";
import {
  closeDataSource,
  createDataSource,
  type DataSource,
  openDataSource,
} from "../../../../src/mysql/dataSource.js";
import type { Environment } from "../../../../src/testing/index.js";
import { RecordedTelemetry } from "../../../support/recordedTelemetry.js";
import { recordingLogger } from "../../../support/recordingLogger.js";
import { mysqlConfig } from "../testDataSource.js";

/** Runs `use` with an open DataSource of which everything is recorded, and closes it. */
export async function withObserved(
  environment: Environment,
  changes: Partial<MysqlConfig>,
  use: (observed: Recording & { readonly dataSource: DataSource }) => Promise<unknown>,
): Promise<Recording> {
  const recording = record();
  const dataSource = createDataSource(mysqlConfig(environment, changes), recording);
  try {
    await openDataSource(dataSource, 5_000);
    await use({ ...recording, dataSource });
  } finally {
    await closeDataSource(dataSource, 1_000);
  }
  return recording;
}

export type Recording = ReturnType<typeof record>;

export function record() {
  const telemetry = new RecordedTelemetry();
  return { telemetry, instruments: telemetry.instruments(), logger: recordingLogger() };
}

/** The lines of an event. */
export function linesOf({ logger }: Pick<Recording, "logger">, event: string) {
  return logger.lines.filter(({ fields }) => (fields as { event?: string }).event === event);
}
