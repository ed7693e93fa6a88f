import { createHash } from "node:crypto";
import type { MigrationInterface } from "typeorm";
import { InvalidInputError } from "../../errors.js";
import type { Step } from "./step.js";

/**
 * A migration as data. The class is named `<VerbNoun><timestamp>`, the timestamp being 13 digits of milliseconds, which give
 * the order. Once released it is frozen: its checksum is stored when it is applied.
 */
export abstract class SteppedMigration implements MigrationInterface {
  abstract readonly upSteps: readonly Step[];
  /** Undoes `upSteps`, from the last to the first. */
  abstract readonly downSteps: readonly Step[];

  get name(): string {
    return this.constructor.name;
  }

  get timestamp(): number {
    return Number(this.name.slice(-13));
  }

  /** Of what is done to the database, in hexadecimal; the way down may be mended later. */
  get checksum(): string {
    const texts = this.upSteps.map(({ text }) => text);
    return createHash("sha256").update(JSON.stringify(texts)).digest("hex");
  }

  /** @throws InvalidInputError always: a `MigrationExecutor` of TypeORM's own takes no lock and checks no history */
  async up(): Promise<void> {
    throw notByItself();
  }

  /** @throws InvalidInputError always, as `up` */
  async down(): Promise<void> {
    throw notByItself();
  }
}

function notByItself(): InvalidInputError {
  return new InvalidInputError("migration", "runs through runMigrations() or ormconfig.ts only, which take the lock");
}
