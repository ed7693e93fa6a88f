/** The env file of a running Kendra, connection string form. */
export const kendra: Readonly<Record<string, string>> = {
  SERVER_PORT: "8000",
  LOG_LEVEL: "info",
  MYSQL_CONNECTION_STRING: "root:@(127.0.0.1:3306)/doordarshan",
  REDIS_CLUSTER_MODE_ON: "true",
  REDIS_CLUSTER_NAME: "",
  REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000",
  REDIS_CLUSTER_READ_TIMEOUT_IN_SECS: "5",
  REDIS_CLUSTER_WRITE_TIMEOUT_IN_SECS: "5",
  REDIS_CLUSTER_DIAL_TIMEOUT_IN_SECS: "5",
  REDIS_CLUSTER_POOL_TIMEOUT_IN_SECS: "60",
  REDIS_CLUSTER_POOL_SIZE: "1000",
  REDIS_CLUSTER_POOL_FIFO: "false",
  REDIS_CLUSTER_MIN_IDLE_CONNECTIONS: "100",
  REDIS_CLUSTER_MAX_IDLE_CONNECTIONS: "1000",
  REDIS_CLUSTER_MAX_ACTIVE_CONNECTIONS: "10000",
  REDIS_CLUSTER_CONNECTION_MAX_IDLE_TIME_IN_SECS: "600",
  REDIS_CLUSTER_CONNECTION_MAX_LIFETIME_IN_SECS: "6000",
  REDIS_CLUSTER_MAX_RETRIES: "3",
  REDIS_CLUSTER_POD_ROLE_ARN: "",
  REDIS_CLUSTER_AWS_REGION: "ap-south-1",
  REDIS_CLUSTER_TLS: "false",
  REDIS_CLUSTER_CREDENTIALS_SECRET_FILE_PATH: "",
  REDIS_CLUSTER_USERNAME: "",
  REDIS_CLUSTER_PASSWORD: "",
  REDIS_CLUSTER_TTL_IN_HOURS: "168",
  REDIS_CLUSTER_SKIP_VERIFY: "true",
};

/** The same service with MySQL in single variables. */
export const kendraParts: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(kendra).filter(([name]) => !name.startsWith("MYSQL_"))),
  MYSQL_ENDPOINT: "127.0.0.1",
  MYSQL_PORT: "3306",
  MYSQL_DB_NAME: "doordarshan",
  MYSQL_USERNAME: "root",
  MYSQL_PASSWORD: "password",
  MYSQL_CREDENTIALS_SECRET_FILE_PATH: "",
  MYSQL_MAX_CONNECTIONS: "100",
};

/** The least that loads. */
export const minimal: Readonly<Record<string, string>> = {
  MYSQL_CONNECTION_STRING: "root:@(127.0.0.1:3306)/doordarshan",
  REDIS_CLUSTER_ADDRESSES: "127.0.0.1:7000",
};
