/** Processor time of this process and its threads, in milliseconds: what computing takes, however busy the machine is. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
