-- The facts of a message: what may be told about it without telling what it says.
--
-- Knows how to measure a stanza and how to digest OMEMO headers (docs/reference/protocol/gate.md).
-- Refuses to judge: names, lengths and digests leave this file, never character data of a message.

local st = require "util.stanza";
local hashes = require "util.hashes";
local encodings = require "util.encodings";
local struct = require "util.struct";

local base64_decode, base64_encode = encodings.base64.decode, encodings.base64.encode;
local sha256 = hashes.sha256;

local xmlns_gate = "apostille:gate:0";
local xmlns_sid = "urn:xmpp:sid:0";
local xmlns_omemo_legacy = "eu.siacs.conversations.axolotl";
local xmlns_omemo_2 = "urn:xmpp:omemo:2";

-- Attributes that a server itself reads or sets on a message; the bytes of all others are counted as loose text, and so is a
-- value that is none: a type that RFC 6121 section 5.2.2 does not know, a language longer than RFC 5646 section 4.4.1 allows.
local known_attributes = { from = true, to = true, type = true, id = true, ["xml:lang"] = true, xmlns = true };
local known_types = { normal = true, chat = true, groupchat = true, headline = true, error = true };
local longest_language = 35;

local longest_blank = 64; -- white space between elements; more than a line break and an indentation could be a code

local function is_blank(text)
	return #text <= longest_blank and not text:find("[^ \t\r\n]");
end

-- What one message may take of a question: a stanza made of thousands of parts must not hold up everybody else's.
local most_children = 64;
local most_keys = 1250; -- a few more than any policy lets pass, so that it sees there are too many

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

local function field(bytes)
	return struct.pack(">I4", #bytes) .. bytes;
end

local absent = struct.pack(">I4", 0xFFFFFFFF);

-- The bytes of an element in base64 (RFC 4648 section 4, white space aside); nil if it is none. util.encodings is more forgiving.
local function decoded(element)
	local text = element:get_text() or "";
	local bytes = base64_decode(text);
	if bytes and base64_encode(bytes) == text then return bytes; end -- as every client writes it
	text = text:gsub("[ \t\r\n]", "");
	if #text % 4 ~= 0 or not text:find("^[A-Za-z0-9+/]*=?=?$") then return nil; end
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

-- Length of decoded base64 for a fact: -1 where it cannot be decoded.
local function length_of(bytes)
	return bytes and #bytes or -1;
end

local truths = { ["true"] = true, ["1"] = true };
local flags = { ["true"] = true, ["1"] = true, ["false"] = true, ["0"] = true };

-- Facts of one <encrypted/>: an <omemo/> element for the question. Works on decoded fields, so that two servers that write the
-- same header as different XML come to the same digest.
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

	local keys, groups = {}, {};
	local function add_key(group, jid, key)
		local rid, bytes = key.attr.rid, decoded(key);
		local kex = truths[key.attr.prekey or key.attr.kex or ""] or false;
		strange = strange + strange_in(key, key_attributes, true);
		if not rid or not rid:match("^%d+$") or #rid > 10 then strange = strange + 1; end
		if not flags[key.attr.prekey or "0"] or not flags[key.attr.kex or "0"] then strange = strange + 1; end
		keys[#keys + 1] = field(jid)..field(rid or "")..field(kex and "1" or "0")..(bytes and field(bytes) or absent);
		if #keys > most_keys then return; end
		group[#group + 1] = ("%s:%d:%d"):format(rid and rid:match("^%d+$") and #rid <= 10 and rid or "0",
			length_of(bytes), kex and 1 or 0);
	end

	local sid = "";
	if header then
		sid = header.attr.sid or "";
		local flat = {};
		for _, child in ipairs(header.tags) do
			if child.attr.xmlns ~= ns then
				strange = strange + 1;
			elseif child.name == "key" and ns == xmlns_omemo_legacy then
				add_key(flat, "", child);
			elseif child.name == "iv" and ns == xmlns_omemo_legacy and not iv then
				iv = child;
				strange = strange + strange_in(child, no_attributes, true);
			elseif child.name == "keys" and ns == xmlns_omemo_2 then
				local group = { jid = child.attr.jid or "" };
				strange = strange + strange_in(child, keys_attributes);
				for _, key in ipairs(child.tags) do
					if key.name == "key" and key.attr.xmlns == ns then
						add_key(group, group.jid, key);
					else
						strange = strange + 1;
					end
				end
				if #group == 0 then strange = strange + 1; else groups[#groups + 1] = group; end
			else
				strange = strange + 1;
			end
		end
		if #flat > 0 then groups[#groups + 1] = flat; end
	end

	local iv_bytes, payload_bytes = iv and decoded(iv), payload and decoded(payload);
	local digest = sha256("apostille/omemo/1"..field(ns)..field(sid)
		..(iv_bytes and field(iv_bytes) or absent)..(payload_bytes and field(payload_bytes) or absent)
		..struct.pack(">I4", #keys)..table.concat(keys), true);

	local fact = st.stanza("omemo", {
		sid = sid:match("^%d+$") and #sid <= 10 and sid or "0";
		iv = iv and ("%d"):format(length_of(iv_bytes)) or nil;
		payload = payload and ("%d"):format(length_of(payload_bytes)) or nil;
		strange = ("%d"):format(strange);
		digest = digest;
	});
	for _, group in ipairs(groups) do
		fact:text_tag("keys", table.concat(group, " "), { jid = group.jid });
	end
	return fact;
end

-- One <message/> of a question. `more` are attributes that only the gate knows (ref, flow, room, recipient).
local function facts(stanza, more)
	local attr = stanza.attr;
	local loose = 0;
	for name, value in pairs(attr) do
		if not known_attributes[name] then loose = loose + #name + #value; end
	end
	if not known_types[attr.type or "normal"] then loose = loose + #attr.type; end
	if #(attr["xml:lang"] or "") > longest_language then loose = loose + #attr["xml:lang"]; end
	for i = 1, #stanza do
		local node = stanza[i];
		if type(node) == "string" and not is_blank(node) then loose = loose + #node; end
	end
	local origin_id = stanza:get_child("origin-id", xmlns_sid);
	local fact = st.stanza("message", {
		ref = more.ref; flow = more.flow; room = more.room;
		from = attr.from; to = more.to or attr.to;
		type = attr.type or "normal";
		id = attr.id; ["origin-id"] = origin_id and origin_id.attr.id or nil;
		text = ("%d"):format(loose);
	});
	if #stanza.tags > most_children then fact.attr.more = ("%d"):format(#stanza.tags - most_children); end
	for i = 1, math.min(#stanza.tags, most_children) do
		local child = stanza.tags[i];
		local ns = child.attr.xmlns or "jabber:client";
		local text, attributes, elements = measure(child);
		local body = child.name == "body" and ns == "jabber:client";
		fact:tag("child", {
			ns = ns; name = child.name;
			t = ("%d"):format(text); a = ("%d"):format(attributes); e = ("%d"):format(elements);
			sha256 = body and sha256(child:get_text() or "", true) or nil;
		});
		if child.name == "encrypted" and (ns == xmlns_omemo_legacy or ns == xmlns_omemo_2) then
			fact:add_child(omemo(child));
		end
		fact:up();
	end
	return fact;
end

return { facts = facts; xmlns = xmlns_gate };
