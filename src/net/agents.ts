/**
 * Connections under an address policy. Every address of a name is checked, and the connection is made to exactly those
 * addresses: a second lookup could return a different one. The agents work with `http.request` and with the AWS SDK.
 */
import { Agent as HttpAgent, type AgentOptions } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { cutText } from "../errors.ts";
import { type AddressPolicy, ALLOWING_SETTING, type Target } from "./address-policy.ts";
import { type Asker, createResolve, type Resolve } from "./resolve.ts";

export interface Agents {
  httpAgent: HttpAgent;
  httpsAgent: HttpsAgent;
}

/** Longest host name that a sentence shows, which is the longest there can be. */
const MAX_HOST_LENGTH = 253;

/** The error code for a refused address; the error's message is the end of a sentence. */
export const ADDRESS_REFUSED = "ADDRESS_REFUSED";

/** @param resolve @default the system's resolver */
export function createAgents(policy: AddressPolicy, resolve: Resolve = createResolve()): Agents {
  return {
    httpAgent: guard(new HttpAgent(), policy, resolve),
    httpsAgent: guard(new HttpsAgent(), policy, resolve),
  };
}

/** What a request hands to its agent, besides much else. */
interface Destination {
  host?: string;
  port?: number | string;
  /** Set by our HTTP client alone. */
  asker?: Asker;
}
type Created = (error: Error | null, socket?: Socket) => void;
type Connect = (options: AgentOptions, done: Created) => Socket | undefined;

function guard<Guarded extends HttpAgent>(agent: Guarded, policy: AddressPolicy, resolve: Resolve): Guarded {
  const own = agent as unknown as { createConnection: Connect };
  const connect = own.createConnection.bind(agent);
  own.createConnection = (options, done) => {
    const { host = "", port = 80, asker } = options as Destination;
    const target = { hostname: host, port: Number(port) };
    // Node does not resolve literals, so the lookup below never sees one.
    if (isIP(host) !== 0 && !policy.isAllowed(host, target)) {
      done(refused(host, policy));
      return undefined;
    }
    const lookup = checkedLookup(policy, resolve, target, asker);
    const socket = connect({ ...options, lookup } as AgentOptions, done);
    // A second line of defence, should Node ever connect past the lookup. It runs first, before anything is sent.
    socket?.prependOnceListener("connect", () => {
      if (!policy.isAllowed(socket.remoteAddress ?? "", target)) socket.destroy(refused(host, policy));
    });
    return socket;
  };
  return agent;
}

function checkedLookup(
  policy: AddressPolicy,
  resolve: Resolve,
  target: Target,
  asker: Asker | undefined,
): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, asker).then(
      (addresses) => {
        // One address that is not public spoils all: a name that mixes them is built to slip past a check.
        const isAllowed = addresses.every(({ address }) => policy.isAllowed(address, target));
        const first = addresses[0];
        if (!isAllowed || first === undefined) done(refused(hostname, policy), "");
        else if (options.all) done(null, addresses);
        else done(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => done(error, ""),
    );
  };
}

/** Names the host and never its addresses: those of internal names must not be revealed. */
function refused(hostname: string, { setting = ALLOWING_SETTING }: AddressPolicy): Error {
  const message = `the address of ${cutText(hostname, MAX_HOST_LENGTH)} is not public, and ${setting} does not allow it`;
  return Object.assign(new Error(message), { code: ADDRESS_REFUSED });
}
