import { type DataSource, EntityNotFoundError, type ObjectLiteral, SelectQueryBuilder } from "typeorm";
import { DriverError, QueryError } from "../errors.js";

/** TypeORM's error of the `…OrFail` methods carries the criteria, values included; here they throw ours. */
export function hideCriteria(dataSource: DataSource): void {
  const createEntityManager = dataSource.createEntityManager.bind(dataSource);
  dataSource.createEntityManager = (runner) => withOurErrors(createEntityManager(runner));
  withOurErrors(dataSource.manager);
  const createQueryBuilder = dataSource.createQueryBuilder.bind(dataSource) as (...args: unknown[]) => unknown;
  dataSource.createQueryBuilder = (...args: unknown[]) =>
    new DiscreetQueryBuilder(createQueryBuilder(...args) as SelectQueryBuilder<ObjectLiteral>);
}

/** A subclass, since a builder clones itself with its own constructor. */
class DiscreetQueryBuilder<T extends ObjectLiteral> extends SelectQueryBuilder<T> {
  override async getOneOrFail(): Promise<T> {
    return super.getOneOrFail().catch(rethrow);
  }
}

function withOurErrors(manager: DataSource["manager"]): DataSource["manager"] {
  const { findOneOrFail, findOneByOrFail } = manager;
  manager.findOneOrFail = (...args) => findOneOrFail.apply(manager, args).catch(rethrow) as never;
  manager.findOneByOrFail = (...args) => findOneByOrFail.apply(manager, args).catch(rethrow) as never;
  return manager;
}

function rethrow(error: unknown): never {
  if (!(error instanceof EntityNotFoundError)) throw error;
  const { entityClass: target } = error;
  const name = typeof target === "function" ? target.name : "row";
  throw new QueryError(
    new DriverError(`Could not find any ${name} that matches`, { driverCode: "ERR_ENTITY_NOT_FOUND" }),
  );
}
