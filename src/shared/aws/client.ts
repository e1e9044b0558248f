/**
 * What every client of AWS should be given. The SDK's own retries, standard mode, take care of throttling, 5xx and
 * broken connections; five attempts last some seconds. By default it waits for an answer forever.
 */
export const awsClientSettings = {
  maxAttempts: 5,
  retryMode: 'standard',
  requestHandler: { connectionTimeout: 5_000, socketTimeout: 60_000 },
} as const;
