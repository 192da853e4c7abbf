// Two people at Converse in headless Chromium. `record.py serve FOLDER converse converse2` runs beside it, and an HTTP server on port 5280 that
// serves the npm package converse.js with converse.html and dist/curve25519_compiled.wasm copied to its root; puppeteer-core is installed.
//
//     node drive_converse.js FOLDER VERSION [LEGACY-NAME]
//
// LEGACY-NAME is an account whose devices speak OMEMO 0.3 only, for messages in that version and in both.
const fs = require('fs');
const puppeteer = require('puppeteer-core');
const [folder, version, legacy] = process.argv.slice(2);
const DOMAIN = 'office.example', ROOM = `parlour@rooms.${DOMAIN}`;
const sleep = ms => new Promise(done => setTimeout(done, ms));
const write = facts => fs.appendFileSync(`${folder}/journal.jsonl`, JSON.stringify(facts) + '\n');

(async () => {
  const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', headless: true, args: ['--no-sandbox', '--disable-gpu'] });
  async function login (name, resource) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.on('pageerror', error => console.log(name, String(error).slice(0, 300)));
    await page.goto(`http://localhost:5280/converse.html?jid=${name}@${DOMAIN}/${resource}`);
    page.who = name;
    return page;
  }
  for (const name of ['converse', 'converse2']) {
    write({ name, program: 'Converse', version });
    write({ name, situation: 'after login' });
  }
  const one = await login('converse', 'first'), two = await login('converse2', 'first');
  await sleep(12000);
  async function does (page, situation, act, ...given) {
    write({ name: page.who, situation });
    try {
      await page.evaluate(`(async () => { await (${act})(...${JSON.stringify(given)}); })()`);
    } catch (error) {
      console.log(page.who, situation, String(error).slice(0, 300));
    }
    await sleep(1500);
  }
  const own = "const own = chat => chat.messages.models.filter(m => m.get('sender') === 'me' && m.get('body'));";
  const their = "const their = chat => chat.messages.models.filter(m => m.get('sender') === 'them' && m.get('body'));";
  await one.evaluate(`window.own = chat => { ${own} return own(chat).slice(-1)[0]; }; window.their = chat => { ${their} return their(chat).slice(-1)[0]; };`);
  await two.evaluate(`window.own = chat => { ${own} return own(chat).slice(-1)[0]; }; window.their = chat => { ${their} return their(chat).slice(-1)[0]; };`);
  const A = `converse@${DOMAIN}`, B = `converse2@${DOMAIN}`;
  const say = 'async (to, body) => (await api.chats.open(to, {}, true)).sendMessage({ body })';
  const correct = "async (to, body) => { const c = await api.chats.get(to) || await api.rooms.get(to); own(c).save('correcting', true); await c.sendMessage({ body }); }";
  const reply = "async (to, body) => { const c = await api.chats.get(to) || await api.rooms.get(to); const m = their(c) || own(c);"
    + " c.save({ reply_to_id: m.get(`stanza_id ${to}`) || m.get('origin_id') || m.get('msgid'), reply_to: m.get('from') });"
    + " await c.sendMessage({ body }); c.save({ reply_to_id: undefined, reply_to: undefined }); }";
  const react = "async (to, emoji) => { const c = await api.chats.get(to) || await api.rooms.get(to);"
    + " customElements.get('converse-reaction-picker').prototype.onEmojiSelected.call({ model: their(c) || own(c), close () {} }, emoji); }";
  const retract = 'async to => { const c = await api.chats.get(to) || await api.rooms.get(to); c.retractOwnMessage(own(c)); }';
  const file = "async to => (await api.chats.get(to) || await api.rooms.get(to)).sendFiles([new File(['a small file'], 'note.txt', { type: 'text/plain' })])";
  const state = "async (to, s) => (await api.chats.get(to) || await api.rooms.get(to)).setChatState(s)";
  const spoil = "async (to, body) => { const c = await api.chats.get(to) || await api.rooms.get(to); c.set('composing_spoiler', true); await c.sendMessage({ body });"
    + " c.set('composing_spoiler', false); }";
  const seal = "async to => (await api.chats.get(to) || await api.rooms.get(to)).save('omemo_active', true)";
  const mark = "async (to, type) => { const c = await api.chats.get(to) || await api.rooms.get(to); c.sendMarkerForMessage(their(c), type, true); }";

  async function battery (kind, first, second, peer, back) {
    for (const s of ['composing', 'paused', 'active']) await does(first, `${kind}chat state ${s}`, state, peer, s);
    await does(first, `${kind}first message`, say, peer, 'good morning');
    await sleep(2000);
    if (second) {
      await does(second, `${kind}message answered`, say, back, 'good morning to you');
      await sleep(2000);
    }
    await does(first, `${kind}message that follows`, say, peer, 'and another');
    await does(first, `${kind}correction`, correct, peer, 'and a third');
    await does(first, `${kind}reply`, reply, peer, 'a reply');
    await does(first, `${kind}reaction`, react, peer, '👍');
    await does(first, `${kind}displayed`, mark, peer, 'displayed');
    await does(first, `${kind}spoiler`, spoil, peer, 'the butler did it');
    await does(first, `${kind}file link`, file, peer);
    await sleep(3000);
    await does(first, `${kind}message before it is withdrawn`, say, peer, 'a mistake');
    await does(first, `${kind}retraction`, retract, peer);
    for (const s of ['inactive', 'gone']) await does(first, `${kind}chat state ${s}`, state, peer, s);
  }
  await one.evaluate(async B => { await api.chats.open(B, {}, true); }, B);
  await two.evaluate(async A => { await api.chats.open(A, {}, true); }, A);
  await battery('', one, two, B, A);
  await does(one, 'message to self', say, A, 'a note');
  await does(one, 'message to somebody absent', say, `nobody@${DOMAIN}`, 'are you there?');
  await does(one, 'OMEMO', seal, B);
  await does(two, 'OMEMO', seal, A);
  await sleep(2000);
  await battery('OMEMO ', one, two, B, A);
  if (legacy) {
    const L = `${legacy}@${DOMAIN}`;
    await one.evaluate(async L => { await api.chats.open(L, {}, true); }, L);
    await does(one, 'OMEMO', seal, L);
    await sleep(2000);
    await battery('OMEMO 0.3 ', one, null, L);
    // A second device of one's own: that one is written to in OMEMO 2, the other account in 0.3.
    await login('converse', 'second');
    await sleep(12000);
    await battery('OMEMO in both versions ', one, null, L);
  }
  for (const [page, nick] of [[one, 'converse'], [two, 'converse2']]) {
    await does(page, 'room entered', 'async (room, nick) => { await api.rooms.open(room, { nick }, true); }', ROOM, nick);
    await sleep(3000);
    if (page === one) {
      await does(one, 'room', "async (room, jid) => { const r = await api.rooms.get(room); const { Strophe, stx } = converse.env;"
        + " await api.sendIQ(stx`<iq to='${room}' type='set' xmlns='jabber:client'><query xmlns='http://jabber.org/protocol/muc#admin'>"
        + "<item affiliation='member' jid='${jid}'/></query></iq>`); }", ROOM, B);
      if (legacy) await does(one, 'room', "async (room, jid) => { const { stx } = converse.env; await api.sendIQ(stx`<iq to='${room}' type='set' xmlns='jabber:client'>"
        + "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member' jid='${jid}'/></query></iq>`); }", ROOM, `${legacy}@${DOMAIN}`);
      await does(one, 'direct invitation', 'async (room, jid) => (await api.rooms.get(room)).directInvite(jid, "come")', ROOM, B);
      await does(one, 'direct invitation without a word', 'async (room, jid) => (await api.rooms.get(room)).directInvite(jid)', ROOM, B);
    }
  }
  const inRoom = 'async (room, body) => (await api.rooms.get(room)).sendMessage({ body })';
  async function talk (kind) {
    for (const s of ['composing', 'paused', 'active', 'inactive', 'gone']) await does(one, `${kind}room chat state ${s}`, state, ROOM, s);
    await does(one, `${kind}room message`, inRoom, ROOM, 'hello all');
    await does(two, `${kind}room message answered`, inRoom, ROOM, 'hello @converse');
    await does(one, `${kind}room correction`, correct, ROOM, 'hello everybody');
    await does(one, `${kind}room mention`, inRoom, ROOM, 'hello @converse2 how are you');
    await does(one, `${kind}room reply`, reply, ROOM, 'a reply');
    await does(one, `${kind}room reaction`, react, ROOM, '👍');
    await does(one, `${kind}room displayed`, mark, ROOM, 'displayed');
    await does(one, `${kind}room file link`, file, ROOM);
    await sleep(2000);
    await does(one, `${kind}room retraction`, retract, ROOM);
  }
  await does(one, 'room subject', 'async room => (await api.rooms.get(room)).setSubject("Monday")', ROOM);
  await talk('');
  const aside = 'async (room, nick, body) => { const o = (await api.rooms.get(room)).occupants.findWhere({ nick }); await o.sendMessage({ body }); }';
  await does(one, 'private message', aside, ROOM, 'converse2', 'a word aside');
  await does(two, 'private message answered', aside, ROOM, 'converse', 'a word back');
  await does(one, 'room OMEMO', seal, ROOM);
  await does(two, 'room OMEMO', seal, ROOM);
  await sleep(3000);
  await talk('OMEMO ');
  await one.screenshot({ path: `${folder}/converse.png` });
  await browser.close();
})();
