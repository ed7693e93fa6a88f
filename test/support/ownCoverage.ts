/**
 * Processes that tests start do not take part in coverage: c8 counts a line as missed when one of two processes that
 * loaded it did not run it. This process has read the variable already.
 */
delete process.env.NODE_V8_COVERAGE;
