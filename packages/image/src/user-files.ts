// The users and groups of an image, passwd(5) and group(5): pure over the texts of its /etc/passwd and /etc/group.
// The files are strangers': lines that do not fit are passed over, numbers are checked, nothing else is believed.

/** A line of /etc/passwd. */
export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** "/" for one that is not absolute, or would break an environment. */
  readonly home: string;
}

/** A line of /etc/group. */
export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The users, in the file's order; none with an id beyond `largestId`. */
export function parsePasswd(text: string, largestId: number): PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , user = "", group = "", , directory = ""] = line.split(":");
    const [uid, gid] = [parseId(user, largestId), parseId(group, largestId)];
    if (name === "" || uid === null || gid === null) return [];
    return [{ name, uid, gid, home: directory.startsWith("/") && !/[\0=]/.test(directory) ? directory : "/" }];
  });
}

/** The groups, in the file's order; none with an id beyond `largestId`. */
export function parseGroup(text: string, largestId: number): GroupEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , group = "", members = ""] = line.split(":");
    const gid = parseId(group, largestId);
    if (name === "" || gid === null) return [];
    return [{ name, gid, members: members.split(",").filter((member) => member !== "") }];
  });
}

function parseId(text: string, largest: number): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) <= largest ? Number(text) : null;
}
