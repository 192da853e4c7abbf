-- The facts of a message: what may be told about it without telling what it says.
--
-- Knows how to measure a stanza and how to digest OMEMO headers (docs/reference/protocol/gate.md).
-- Refuses to judge: names, lengths and digests leave this file, never character data of a message.
--
-- It runs for every message of a server, so it writes lines and not elements, and touches each string once.

local hashes = require "util.hashes";
local encodings = require "util.encodings";
local struct = require "util.struct";

local base64_decode = encodings.base64.decode;
local sha256 = hashes.sha256;
local pack = struct.pack;
local concat = table.concat;
local byte, find, match, gsub, sub, format = string.byte, string.find, string.match, string.gsub, string.sub, string.format;
local type, pairs = type, pairs;

local xmlns_client = "jabber:client";
local xmlns_sid = "urn:xmpp:sid:0";
local xmlns_omemo_legacy = "eu.siacs.conversations.axolotl";
local xmlns_omemo_2 = "urn:xmpp:omemo:2";
local xmlns_openpgp = "urn:xmpp:openpgp:0";

-- Attributes that a server itself reads or sets on a message; the bytes of all others are counted as loose text, and so is a
-- value that is none: a type that RFC 6121 section 5.2.2 does not know, a language longer than RFC 5646 section 4.4.1 allows.
local known_attributes = { from = true, to = true, type = true, id = true, ["xml:lang"] = true, xmlns = true };
local known_types = { normal = true, chat = true, groupchat = true, headline = true, error = true };
local longest_language = 35;
local longest_client = 256;

local longest_blank = 64; -- white space between elements; more than a line break and an indentation could be a code

local function is_blank(text)
	return #text <= longest_blank and not find(text, "[^ \t\r\n]");
end

-- What one message may take of a question: a stanza made of thousands of parts must not hold up everybody else's.
local most_children = 64;
local most_keys = 1250; -- a few more than any policy lets pass, so that it sees there are too many

-- A word of a line: neither white space nor control characters nor markup in it, and never empty (spec.md section 5, rule 1).
local function escape_byte(character)
	return format("%%%02X", byte(character));
end

local function word(text)
	if not find(text, "[^%w%-._@/:]") and text ~= "" then return text; end
	if text == "" then return "%"; end
	return (gsub(text, "[%s%c%%=<>&'\"]", escape_byte));
end

-- Names and addresses come again and again.
local known_words, known_count = {}, 0;
local function known_word(text)
	local written = known_words[text];
	if written then return written; end
	written = word(text);
	if known_count >= 10000 then known_words, known_count = {}, 0; end
	if #text <= 256 then known_words[text], known_count = written, known_count + 1; end
	return written;
end

-- Bytes of character data, bytes of markup that its writer chose (names and values of attributes; names and namespaces of
-- descendants: all of it can be read), and number of descendants, of a whole subtree.
local function measure(element)
	local text, attributes, elements = 0, 0, 0;
	for name, value in pairs(element.attr) do
		if name ~= "xmlns" then attributes = attributes + #name + #value; end
	end
	for i = 1, #element do
		local node = element[i];
		if type(node) == "string" then
			if not is_blank(node) then text = text + #node; end
		else
			local t, a, e = measure(node);
			a = a + #node.name + (node.attr.xmlns ~= element.attr.xmlns and #(node.attr.xmlns or "") or 0);
			text, attributes, elements = text + t, attributes + a, elements + e + 1;
		end
	end
	return text, attributes, elements;
end

-- Lengths as the digest has them: 32 bits, big end first.
local lengths = {};
for n = 0, 4096 do lengths[n] = pack(">I4", n); end
local function length(n)
	return lengths[n] or pack(">I4", n);
end

local absent = pack(">I4", 0xFFFFFFFF);

local function text_of(element)
	if #element == 1 then
		local node = element[1];
		if type(node) == "string" then return node; end
	end
	return element:get_text() or "";
end

-- The bytes of an element in base64 (RFC 4648 section 4, white space aside); nil if it is none. util.encodings is more
-- forgiving, but what it passes over makes the result shorter than the text promises.
local function decoded(element)
	local text = text_of(element);
	local size = #text;
	local bytes = base64_decode(text);
	if bytes and size % 4 == 0 then -- as every client writes it
		local last, before = byte(text, -1, -1), byte(text, -2, -2);
		local padding = last ~= 61 and 0 or before ~= 61 and 1 or 2;
		if #bytes == size * 0.75 - padding then return bytes; end
	end
	text = gsub(text, "[ \t\r\n]", "");
	if #text % 4 ~= 0 or not find(text, "^[A-Za-z0-9+/]*=?=?$") then return nil; end
	return base64_decode(text);
end

local no_attributes = {};
local header_attributes = { sid = true };
local keys_attributes = { jid = true };
local key_attributes = { rid = true, prekey = true, kex = true };

-- What an element holds beyond its known attributes and, unless it is a leaf of base64, its children.
local function strange_in(element, known, leaf)
	local count = leaf and #element.tags or 0;
	for name in pairs(element.attr) do
		if name ~= "xmlns" and not known[name] then count = count + 1; end
	end
	if not leaf then
		for i = 1, #element do
			if type(element[i]) == "string" and not is_blank(element[i]) then count = count + 1; end
		end
	end
	return count;
end

local truths = { ["true"] = true, ["1"] = true };
local flags = { ["true"] = true, ["1"] = true, ["false"] = true, ["0"] = true };
local flag_no, flag_yes = length(1).."0", length(1).."1";

local function device_id(text)
	return text and #text <= 10 and match(text, "^%d+$");
end

-- Whether a key begins as a message of its ratchet: in OMEMO 0.3 with the version (3, of 3 at most), in OMEMO 2 with a MAC of 16 bytes
-- or, for a key exchange, with a field of one (XEP-0384 section 4.3.2). Shorter ones are refused for their length.
local shortest_key = 32;
local exchange_fields = { [0x08] = true, [0x10] = true, [0x1A] = true, [0x22] = true, [0x2A] = true };
local function begins_right(bytes, ns, kex)
	if #bytes < shortest_key then return true; end
	local first, second = byte(bytes, 1, 2);
	if ns == xmlns_omemo_legacy then return first == 0x33; end
	if kex then return exchange_fields[first]; end
	return first == 0x0A and second == 0x10;
end

-- The line of one <encrypted/>. Works on decoded fields, so that two servers that write the same header as different XML come
-- to the same digest.
local function omemo(encrypted)
	local ns = encrypted.attr.xmlns;
	local header, payload, iv;
	local strange = strange_in(encrypted, no_attributes); -- things that have no business in here
	for _, child in ipairs(encrypted.tags) do
		if child.attr.xmlns == ns and child.name == "header" and not header then
			header = child;
			strange = strange + strange_in(child, header_attributes);
		elseif child.attr.xmlns == ns and child.name == "payload" and not payload then
			payload = child;
			strange = strange + strange_in(child, no_attributes, true);
		else
			strange = strange + 1;
		end
	end

	-- `hashed` is the digest's input from the keys on, `words` the line's.
	local hashed, h, words, w, count = {}, 0, {}, 0, 0;
	local function add_key(jid, key)
		local attr = key.attr;
		local rid, bytes = attr.rid, decoded(key);
		local mark = attr.prekey or attr.kex;
		local kex = mark and truths[mark];
		strange = strange + strange_in(key, key_attributes, true);
		local id = device_id(rid);
		if not id then strange = strange + 1; end
		if mark and not (flags[attr.prekey or "0"] and flags[attr.kex or "0"]) then strange = strange + 1; end
		if bytes and not begins_right(bytes, ns, kex) then strange = strange + 1; end
		rid = rid or "";
		hashed[h + 1], hashed[h + 2], hashed[h + 3], hashed[h + 4] = length(#jid), jid, length(#rid), rid;
		hashed[h + 5], hashed[h + 6], hashed[h + 7] = kex and flag_yes or flag_no, bytes and length(#bytes) or absent, bytes or "";
		h, count = h + 7, count + 1;
		if count > most_keys then return; end
		w = w + 1;
		words[w] = (id or "0")..":"..(bytes and #bytes or -1)..(kex and ":1" or ":0");
	end

	local sid = "";
	if header then
		sid = header.attr.sid or "";
		for _, child in ipairs(header.tags) do
			if child.attr.xmlns ~= ns then
				strange = strange + 1;
			elseif child.name == "key" and ns == xmlns_omemo_legacy then
				add_key("", child);
			elseif child.name == "iv" and ns == xmlns_omemo_legacy and not iv then
				iv = child;
				strange = strange + strange_in(child, no_attributes, true);
			elseif child.name == "keys" and ns == xmlns_omemo_2 then
				local jid = child.attr.jid or "";
				strange = strange + strange_in(child, keys_attributes);
				local before = count;
				w = w + 1;
				words[w] = "@"..known_word(jid);
				for _, key in ipairs(child.tags) do
					if key.name == "key" and key.attr.xmlns == ns then
						add_key(jid, key);
					else
						strange = strange + 1;
					end
				end
				if count == before then strange = strange + 1; end
			else
				strange = strange + 1;
			end
		end
	end

	local iv_bytes, payload_bytes = iv and decoded(iv), payload and decoded(payload);
	local digest = sha256(concat {
		"apostille/omemo/1", length(#ns), ns, length(#sid), sid,
		iv_bytes and length(#iv_bytes) or absent, iv_bytes or "", payload_bytes and length(#payload_bytes) or absent, payload_bytes or "",
		length(count), concat(hashed),
	}, true);
	return concat {
		"encrypted ", ns, " ", device_id(sid) or "0",
		" ", iv and (iv_bytes and #iv_bytes or -1) or "-", " ", payload and (payload_bytes and #payload_bytes or -1) or "-",
		" ", strange, " ", digest, w > 0 and " " or "", concat(words, " "),
	};
end

-- All character data directly in an element; `get_text` has none where elements stand beside it.
local function own_text(element)
	if #element.tags == 0 then return text_of(element); end
	local texts = {};
	for i = 1, #element do
		if type(element[i]) == "string" then texts[#texts + 1] = element[i]; end
	end
	return concat(texts);
end

-- Whether an <openpgp/> (XEP-0373) is base64 of an OpenPGP message that begins with a key for somebody: packets of tag 1, in either
-- format (RFC 4880 section 4.2).
local function is_openpgp(element)
	local bytes = decoded(element);
	local first = bytes and byte(bytes, 1) or 0;
	return first == 0xC1 or first >= 0x84 and first <= 0x87;
end

local function line_of(child)
	local name, ns = child.name, child.attr.xmlns or xmlns_client;
	if name == "encrypted" and (ns == xmlns_omemo_legacy or ns == xmlns_omemo_2) then return omemo(child); end
	local text, attributes, elements = measure(child);
	if name == "openpgp" and ns == xmlns_openpgp and not is_openpgp(child) then elements = elements + 1; end
	local line = known_word(name).." "..known_word(ns).." "..text.." "..attributes.." "..elements;
	if name == "body" and ns == xmlns_client then return line.." "..sha256(own_text(child), true); end
	return line;
end

-- Bytes of a message's own that are no child's: loose text, unknown attributes, values that are none.
local function loose_text(stanza)
	local attr = stanza.attr;
	local kind, language = attr.type, attr["xml:lang"];
	local loose = 0;
	for name, value in pairs(attr) do
		if not known_attributes[name] then loose = loose + #name + #value; end
	end
	if kind and not known_types[kind] then loose = loose + #kind; end
	if language and #language > longest_language then loose = loose + #language; end
	for i = 1, #stanza do
		local node = stanza[i];
		if type(node) == "string" and not is_blank(node) then loose = loose + #node; end
	end
	return loose;
end

-- What somebody writes in, as far as it is the name of a language: what the first body says, else the stanza, for which the server's
-- parser has put in what the stream says.
local function language_of(stanza)
	local language = stanza.attr["xml:lang"];
	for _, child in ipairs(stanza.tags) do
		if child.name == "body" and child.attr["xml:lang"] then
			language = child.attr["xml:lang"];
			break;
		end
	end
	language = language and match(language, "^[%w%-]+");
	return language and sub(language, 1, longest_language);
end

-- What a client calls itself; cut between two characters.
local function client_word(text)
	if not text then return "%"; end
	return known_word(#text <= longest_client and text or (gsub(sub(text, 1, longest_client), "[\128-\255]+$", "")));
end

-- The lines of one message in a question. `flow`, `to` (the person behind a nickname), `room` and `client` (the node of its
-- capabilities) are what only the gate knows.
local function facts(stanza, ref, flow, to, room, client)
	local attr, tags = stanza.attr, stanza.tags;
	local lines, count, origin_id = {}, #tags, nil;
	for i = 1, count <= most_children and count or most_children do
		local child = tags[i];
		lines[i + 1] = line_of(child);
		if not origin_id and child.name == "origin-id" and child.attr.xmlns == xmlns_sid then origin_id = child.attr.id; end
	end
	lines[1] = concat({
		"message", ref, flow, known_word(attr.from or ""), known_word(to or attr.to or ""), known_types[attr.type] and attr.type or "normal",
		word(attr.id or ""), origin_id and (origin_id == attr.id and "=" or word(origin_id)) or "%", room and known_word(room) or "%",
		loose_text(stanza), count > most_children and count - most_children or 0,
		language_of(stanza) or "%", client_word(client),
	}, " ");
	return concat(lines, "\n "); -- the space tells a child from what begins a line of its own
end

-- Whether a message is meant for devices.
local function is_encrypted(stanza)
	return stanza:get_child("encrypted", xmlns_omemo_legacy) or stanza:get_child("encrypted", xmlns_omemo_2);
end

return {
	facts = facts; is_encrypted = is_encrypted; language_of = language_of; measure = measure; loose_text = loose_text; word = word;
	most_children = most_children;
};
