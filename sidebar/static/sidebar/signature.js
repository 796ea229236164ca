// What the sender's signature says, to fill in the form of a new record. Asks nothing of the mail unless it is switched on.

import { call } from "./api.js";
import { mailFrom } from "./host.js";

/** API name of a field -> value; {} where it is off, where there is no mail, and where anything fails: the form opens. */
export async function readSignature(itemId, address) {
  try {
    if (!await isSwitchedOn()) return {};
    const mail = await mailFrom(itemId, address);
    return mail ? (await call("POST", "sidebar/signature/", { body: mail })).values : {};
  } catch {
    return {};
  }
}

async function isSwitchedOn() {
  const { settings } = await call("GET", "policy/");
  return settings.some((setting) => setting.key === "signature.extract" && setting.value === true);
}
