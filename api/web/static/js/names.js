/** Under which name is something kept, so that an address can have it? */

const LONGEST = 64;

/** `Revenue of Zürich` as `revenue-of-zurich`; of a title without Latin letters, `kind` and a number. */
export function nameOf(title, kind) {
  const plain = title.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9_]+/g, "-").replace(/^-|-$/g, "");
  const name = /[a-z]/.test(plain) ? plain : `${kind}-${plain || Date.now().toString(36)}`;
  return (/^[a-z]/.test(name) ? name : `${kind}-${name}`).slice(0, LONGEST);
}
