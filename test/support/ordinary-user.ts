/** Runs what root may do and an ordinary user may not, as an ordinary user: tests of permissions work under both. */
const NOBODY = 65_534;

/** Lends the process the rights of the user nobody while `action` runs, if it has those of root. */
export async function asOrdinaryUser<T>(action: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return action();
  process.seteuid!(NOBODY);
  try {
    return await action();
  } finally {
    process.seteuid!(0);
  }
}

/** Why a test of permissions cannot run, if it cannot. */
export const noPermissionsHere =
  process.geteuid === undefined && "another operating system: this one has no owners and modes";
