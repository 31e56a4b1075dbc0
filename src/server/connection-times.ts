/** How long a connection may do nothing, of each kind of nothing. */

/** Milliseconds. */
export interface ConnectionTimes {
  /** From the first byte of a call, or from the connection, to the end of its headers. */
  headersMs: number;
  /** Without a call between two of them. Longer than most proxies keep theirs, so that none sends into a closed one. */
  idleMs: number;
  /** The longest pause in a body, whatever came before; on average it comes with the least throughput. */
  bodyPauseMs: number;
  /** The same for the reading of an answer. Longer, since systems tell of that in steps of more than a megabyte. */
  answerPauseMs: number;
  /** For a peer to read the last answer, and to close. */
  lingerMs: number;
  /** Of silence before TCP asks whether the peer is still there. */
  probeMs: number;
  /** Between two looks at all connections. */
  checkMs: number;
}

export const CONNECTION_TIMES: Readonly<ConnectionTimes> = {
  headersMs: 20_000,
  idleMs: 75_000,
  bodyPauseMs: 15_000,
  answerPauseMs: 60_000,
  lingerMs: 3000,
  probeMs: 30_000,
  checkMs: 1000,
};
