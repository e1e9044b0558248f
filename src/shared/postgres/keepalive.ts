/**
 * A peer that is gone without a word is noticed after two minutes, not after the two hours of an operating system. What
 * still answers is not gone: a process that is stopped in the middle of a COPY keeps its transaction until it goes on,
 * or until the server ends the session; only between statements does `idle_in_transaction_session_timeout` end it.
 */
export const KEEPALIVE_SETTINGS = {
  tcp_keepalives_idle: '60',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '6',
} as const;
