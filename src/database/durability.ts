/** What need not outlast a power cut. */

/**
 * A condition that always holds, for statements whose loss is made up for by the next of their kind, such as signs of
 * life: their commit does not wait for the disk. It is part of the statement because that costs no round trip. Only for
 * statements by themselves: in a transaction it would hold for all of it.
 */
export const WITHOUT_SYNC = "(select set_config('synchronous_commit', 'off', true)) = 'off'";
