/**
 * What every client of AWS should be given. The SDK's own retries, standard mode, take care of throttling, 5xx and
 * broken connections; five attempts last some seconds. By default it waits for an answer forever: with these, a request
 * that is never answered has failed after 75 seconds and some, so that a function still has the time to tell it.
 */
export const awsClientSettings = {
  maxAttempts: 5,
  retryMode: 'standard',
  requestHandler: { connectionTimeout: 5_000, socketTimeout: 15_000 },
} as const;
