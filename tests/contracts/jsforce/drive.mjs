// Drives the simulated Salesforce with jsforce and prints one JSON object: check -> "ok" or what went wrong.
// Asks on stdout for the redirect that a browser would make, and reads it from stdin.
import jsforce from "jsforce";
import readline from "node:readline";
import assert from "node:assert/strict";

const { LOGIN_URL, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, EXPIRE_URL } = process.env;
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const results = {};

async function check(name, work) {
  try {
    await work();
    results[name] = "ok";
  } catch (error) {
    results[name] = `${error.errorCode ?? error.name}: ${error.message}`;
  }
}

const oauth2 = new jsforce.OAuth2({
  loginUrl: LOGIN_URL, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, redirectUri: REDIRECT_URI, useVerifier: true,
});
console.log(oauth2.getAuthorizationUrl({ scope: "id api refresh_token web", state: "jsforce" }));
const arrived = new URL((await lines.next()).value);
const connection = new jsforce.Connection({ oauth2, version: "60.0" });
const jane = "jane.doe@northwind.example";

await check("authorize", async () => {
  assert.equal(arrived.searchParams.get("state"), "jsforce");
  const user = await connection.authorize(arrived.searchParams.get("code"));
  assert.match(user.id, /^005\w{15}$/);
  assert.match(user.organizationId, /^00D\w{15}$/);
  assert.ok(connection.refreshToken);
});
await check("identity", async () => {
  const identity = await connection.identity();
  assert.equal(identity.username, "alice@acme.example");
});
await check("query", async () => {
  const found = await connection.query(`SELECT Id, Account.Name FROM Contact WHERE Email = '${jane}'`);
  assert.equal(found.records[0].Account.Name, "Northwind Shipping");
});
await check("queryMore", async () => {
  const first = await connection.query("SELECT Id FROM Contact");
  assert.equal(first.done, false);
  const rest = await connection.queryMore(first.nextRecordsUrl);
  assert.equal(first.records.length + rest.records.length, first.totalSize);
  const all = await connection.query("SELECT Id FROM Contact", { autoFetch: true, maxFetch: 100000 });
  assert.equal(all.records.length, first.totalSize);
});
await check("find", async () => {
  const found = await connection.sobject("Contact").find({ Email: jane }, "Id, Name").limit(5);
  assert.equal(found[0].Name, "Jane Doe");
  assert.ok((await connection.sobject("Lead").count({ IsConverted: false })) > 100);
});
await check("search", async () => {
  const found = await connection.search(`FIND {${jane}} IN EMAIL FIELDS RETURNING Contact(Id, Name)`);
  assert.equal(found.searchRecords[0].Name, "Jane Doe");
});
await check("one record", async () => {
  const made = await connection.sobject("Contact").create({ LastName: "Sigurðsson" });
  assert.ok(made.success);
  await connection.sobject("Contact").update({ Id: made.id, FirstName: "Ari" });
  assert.equal((await connection.sobject("Contact").retrieve(made.id)).Name, "Ari Sigurðsson");
  assert.ok((await connection.sobject("Contact").destroy(made.id)).success);
  await assert.rejects(connection.sobject("Contact").retrieve(made.id), { errorCode: "ENTITY_IS_DELETED" });
});
await check("many records", async () => {
  const records = [1, 2, 3].map((n) => ({ LastName: `Many ${n}`, Company: "C" }));
  const made = await connection.sobject("Lead").create([...records, { Company: "no name" }]);
  assert.deepEqual(made.map((each) => each.success), [true, true, true, false]);
  assert.equal(made[3].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
  const ids = made.slice(0, 3).map((each) => each.id);
  const changed = await connection.sobject("Lead").update(ids.map((Id) => ({ Id, Title: "T" })));
  assert.ok(changed.every((each) => each.success));
  const read = await connection.sobject("Lead").retrieve(ids);
  assert.deepEqual(read.map((each) => each.Title), ["T", "T", "T"]);
  const gone = await connection.sobject("Lead").destroy(ids);
  assert.ok(gone.every((each) => each.success));
});
await check("upsert", async () => {
  const record = { External_Id__c: "js-1", LastName: "U", Company: "C" };
  const first = await connection.sobject("Lead").upsert(record, "External_Id__c");
  const again = await connection.sobject("Lead").upsert(record, "External_Id__c");
  assert.deepEqual([first.created, again.created], [true, false]);
});
await check("describe", async () => {
  const described = await connection.sobject("Contact").describe();
  assert.equal(described.fields.find((field) => field.name === "Email").type, "email");
  const everything = await connection.describeGlobal();
  assert.ok(everything.sobjects.some((each) => each.name === "Opportunity"));
});
await check("recent and limits", async () => {
  assert.ok((await connection.recent("Contact", 5)).length > 0);
  assert.equal((await connection.limits()).DailyApiRequests.Max, 100000);
});
await check("limitInfo", async () => {
  assert.equal(connection.limitInfo.apiUsage.limit, 100000);
  assert.ok(connection.limitInfo.apiUsage.used > 0);
});
await check("errors", async () => {
  await assert.rejects(connection.query("SELECT Nope FROM Contact"), { errorCode: "INVALID_FIELD" });
  await assert.rejects(connection.query("SELEKT"), { errorCode: "MALFORMED_QUERY" });
  await assert.rejects(connection.sobject("Nope").describe(), { errorCode: "NOT_FOUND" });
});
await check("refresh on 401", async () => {
  const before = [connection.accessToken, connection.refreshToken];
  await fetch(EXPIRE_URL, { method: "POST" });
  await connection.query("SELECT Id FROM Contact LIMIT 1");
  assert.notEqual(connection.accessToken, before[0]);
});
await check("login with a password", async () => {
  const soap = new jsforce.Connection({ loginUrl: LOGIN_URL, version: "60.0" });
  const user = await soap.login("bob@acme.example", "demo");
  assert.match(user.organizationId, /^00D/);
  assert.equal((await soap.query(`SELECT Id FROM Contact WHERE Email = '${jane}'`)).totalSize, 1);
  await assert.rejects(new jsforce.Connection({ loginUrl: LOGIN_URL }).login("bob@acme.example", "wrong"));
});
await check("revoke", async () => {
  await connection.oauth2.revokeToken(connection.accessToken);
  const lone = new jsforce.Connection({ instanceUrl: connection.instanceUrl, accessToken: connection.accessToken });
  await assert.rejects(lone.query("SELECT Id FROM Contact LIMIT 1"), { errorCode: "INVALID_SESSION_ID" });
});

console.log(JSON.stringify(results));
process.exit(0);
