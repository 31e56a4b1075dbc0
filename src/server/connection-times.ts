/** How long a connection may be idle in each of its phases. */

/** Milliseconds. */
export interface ConnectionTimes {
  /** From the first byte of a request, or from the connection, to the end of the headers. */
  headersMs: number;
  /** Between two requests. Longer than most proxies keep theirs, so that none sends into a closed one. */
  idleMs: number;
  /** Longest pause in a body, whatever came before; its average must reach the minimum throughput. */
  bodyPauseMs: number;
  /** Longest pause in reading a reply; longer, since systems report that in steps of more than a megabyte. */
  answerPauseMs: number;
  /** Between the end of a call and that of its peer's side: a peer that ends its side later than this has left. */
  halfCloseMs: number;
  /** Silence before TCP probes a peer that has ended its side: whether it still reads, nothing else tells. */
  halfClosedProbeMs: number;
  /** For a peer to read the last reply and close. */
  lingerMs: number;
  /** Silence before TCP probes whether the peer is still there. */
  probeMs: number;
  /** Interval between two checks of all connections. */
  checkMs: number;
}

export const CONNECTION_TIMES: Readonly<ConnectionTimes> = {
  headersMs: 20_000,
  idleMs: 75_000,
  bodyPauseMs: 15_000,
  answerPauseMs: 60_000,
  halfCloseMs: 1000,
  halfClosedProbeMs: 10_000,
  lingerMs: 3000,
  probeMs: 30_000,
  checkMs: 1000,
};
