-- Nobody logs in to a server whose gate is not there.
--
-- Prosody goes on without a module that did not load, and would pass every message unasked. It does not go on without its
-- authentication: this provider wraps another one and looks, at each login, whether the gate really stands on this host. Accounts
-- are the wrapped provider's matter; they can be managed with the gate or without.
--
-- It never loads the gate: what an administrator took out of the configuration is missed, not put back in silence.

local prosody = prosody;
local this_host = module.host;
local host_events = prosody.hosts[this_host].events;

local wrapped_name = module:get_option_string("apostille_authentication", "internal_hashed");
assert(wrapped_name ~= "apostille", "apostille_authentication must name the provider that is wrapped, for example \"internal_hashed\"");

local text = "Nobody can log in at the moment: the service that checks messages is not running on this server. "
	.."Please tell your administrator.";
local advice = "%s: mod_apostille_gate is not in place on %s. See whether it stands in modules_enabled of this host, "
	.."look for \"Unable to load module\" and \"Error initializing module\" in this log, and restart Prosody.";

local gate_hooks = {
	"pre-message/bare", "pre-message/full", "pre-message/host";
	"message/bare", "message/full", "message/host";
};

-- Loaded is not enough: its handlers have to be where messages pass.
local function gate_stands()
	local gate = prosody.hosts[this_host].modules.apostille_gate;
	if not gate then return false; end
	for _, event in ipairs(gate_hooks) do
		local hooked = false;
		for _, handler in ipairs(host_events.get_handlers(event) or {}) do
			hooked = hooked or gate.module.event_handlers:get(host_events, event, handler);
		end
		if not hooked then return false; end
	end
	return true;
end

local said = {};
local function say(what)
	if os.time() - (said[what] or 0) < 60 then return; end -- a server full of clients tries again every few seconds
	said[what] = os.time();
	module:log("error", advice, what, this_host);
end

-- ---- the provider --------------------------------------------------------------------------------------------------

local function guard_handler(handler)
	local process, clean_clone = handler.process, handler.clean_clone;
	function handler:process(message)
		if gate_stands() then
			local status, ret, err_text = process(self, message);
			if status ~= "success" or gate_stands() then return status, ret, err_text; end
		end
		say("A login was refused");
		return "failure", "temporary-auth-failure", text;
	end
	if clean_clone then
		function handler:clean_clone() return guard_handler(clean_clone(self)); end
	end
	return handler;
end

local function guard_proof(prove)
	return function (...)
		if gate_stands() then return prove(...); end
		say("A password was not checked");
		return nil, text;
	end
end

local guards = {
	get_sasl_handler = function (make)
		return function (...) return guard_handler(make(...)); end
	end;
	test_password = guard_proof;
	get_password = guard_proof;
};

local provider, wrapped = {}, nil;

-- Prosody gives a provider its own metatable: what the wrapped one can do must stand in the wrapper itself.
local function adopt(event)
	local inner = event.item;
	if inner.name ~= wrapped_name then return; end
	wrapped = inner;
	for key in pairs(provider) do
		if key ~= "name" and key ~= "_provided_by" then provider[key] = nil; end
	end
	for key, value in pairs(inner) do
		if key ~= "name" and key ~= "_provided_by" then provider[key] = guards[key] and guards[key](value) or value; end
	end
end

module:handle_items("auth-provider", adopt, function () end, true);
module:depends("auth_"..wrapped_name);
assert(wrapped, "mod_auth_"..wrapped_name.." loaded, but provides no authentication of that name");
module:provides("auth", provider);

-- ---- sessions -------------------------------------------------------------------------------------------------------

-- Whatever proved who somebody is, a token or a module unknown here: no session begins.
module:hook("pre-resource-bind", function (event)
	if gate_stands() then return; end
	say("A session was refused");
	event.error = { type = "wait", condition = "internal-server-error", text = text };
	return false;
end, 1000);

-- The gate was unloaded, or failed to load again: who is online would write unasked. A reload that succeeds is told by another event.
module:hook("module-unloaded", function (event)
	if event.module ~= "apostille_gate" or gate_stands() then return; end
	local sessions = {};
	for _, user in pairs(prosody.hosts[this_host].sessions) do
		for _, session in pairs(user.sessions) do sessions[#sessions + 1] = session; end
	end
	module:log("error", advice, ("%d session(s) are closed"):format(#sessions), this_host);
	for _, session in ipairs(sessions) do
		session:close({ condition = "internal-server-error", text = text });
	end
end);
