-- Creates accounts through the server's own auth provider, many in one run.
-- Reads pairs of lines (user, password) from stdin; one hash each, no process per account.
-- Always internal_hashed: a host whose `authentication` wraps it keeps the same store.
CFG_SOURCEDIR, CFG_PLUGINDIR = "/usr/lib/prosody", "/usr/lib/prosody/modules/";
CFG_DATADIR, CFG_CONFIGDIR = "/nonexistent", "/nonexistent";
package.path = CFG_SOURCEDIR .. "/?.lua;" .. package.path;
package.cpath = CFG_SOURCEDIR .. "/?.so;" .. package.cpath;

local host_name = table.remove(arg, 1);
local startup = require "util.startup";
startup.prosodyctl();

local storagemanager = require "core.storagemanager";
local modulemanager = require "core.modulemanager";
local nodeprep = require "util.encodings".stringprep.nodeprep;

local host = assert(prosody.hosts[host_name], "no such host: " .. host_name);
storagemanager.initialize_host(host_name);
local provider;
host.events.add_handler("item-added/auth-provider", function (event) provider = event.item; end);
assert(modulemanager.load(host_name, "auth_internal_hashed"));
assert(provider, "no auth provider appeared");

for user in io.lines() do
	local password = assert(io.read("l"), "password missing for " .. user);
	assert(provider.create_user(assert(nodeprep(user, true), "bad name: " .. user), password));
end
