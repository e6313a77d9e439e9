#include "metatool/drbdmeta.hpp"

#include <cstring>

#include "control/client.hpp"
#include "control/status_json.hpp"
#include "metatool/commands.hpp"
#include "metatool/file_meta_device.hpp"
#include "metatool/relocate.hpp"

namespace replicator::metatool {

namespace {

constexpr std::uint32_t daemon_deadline_ms = 5000;

// Does the running daemon have a disk under this minor?
bool attached(std::uint32_t minor) {
  control::Request request;
  request.command = "status";
  request.object = std::to_string(minor);
  const Result<control::Reply> reply = control::Client().call(request, daemon_deadline_ms);
  if (!reply || reply->data.empty()) return false;
  const Result<std::vector<ResourceStatus>> resources = control::decode_status(reply->data);
  if (!resources) return false;
  for (const ResourceStatus& resource : *resources) {
    for (const VolumeStatus& volume : resource.volumes) {
      if (volume.minor == minor && !volume.backing_disk.empty()) return true;
    }
  }
  return false;
}

void explain_busy(const MetaCall& call, Console& console) {
  if (call.minor && attached(*call.minor)) {
    console.err("Device '{}' is configured!\n", call.device);
  }
  console.err(
      "{} is in use: unmount it, or detach or stop whatever else has claimed it, and try again{}\n",
      call.meta_device, call.command->writes ? "." : " (--force reads it all the same).");
}

int cannot_open(const MetaCall& call, Console& console, const Status& status) {
  switch (status.fault()) {
    case Fault::unsupported: console.err("'{}' is not a block device!\n", call.meta_device); break;
    case Fault::busy: explain_busy(call, console); break;
    default:
      console.err("open({}) failed: {}\n", call.meta_device, std::strerror(status.error_number()));
  }
  return exit_usage;
}

// exit_ok: there is room for meta data at all.
int check_device(const MetaCall& call, const MetaDevice& device, Console& console) {
  if (device.size() < internal_device_bytes_min) {
    console.err("{} is only {} bytes. That's not enough.\n", device.name(), device.size());
    return exit_range;
  }
  if (call.index.kind != MetaDiskIndex::Kind::indexed) return exit_ok;
  const std::uint64_t begin = metadata_slot_sectors * call.index.slot * sector_bytes;
  if (begin + metadata_slot_sectors * sector_bytes <= device.size()) return exit_ok;
  console.err(
      "Device too small: expecting meta data block at\nbyte offset {}, but {} is only {} bytes.\n",
      begin, device.name(), device.size());
  return exit_range;
}

// Meta data that a grown device left behind is moved first to where attach looks for it.
int move_and_apply_al(Session& session) {
  const std::optional<LastKnown> displaced = find_displaced(session);
  const int moved = displaced ? move_to_the_end(session, *displaced) : exit_ok;
  return moved == exit_ok ? apply_al(session) : moved;
}

int perform(Session& session, const std::string& command_line) {
  switch (session.call.command->action) {
    case MetaAction::get_gi: return get_gi(session);
    case MetaAction::show_gi: return show_gi(session);
    case MetaAction::dump_md: return dump_md(session, command_line);
    case MetaAction::apply_al: return move_and_apply_al(session);
    case MetaAction::wipe_md: return wipe_md(session);
    case MetaAction::outdate: return outdate(session);
    case MetaAction::invalidate: return invalidate(session);
    case MetaAction::dstate: return dstate(session);
    case MetaAction::check_resize: return check_resize(session);
    case MetaAction::create_md: return create_md(session);
    case MetaAction::restore_md: return restore_md(session);
    case MetaAction::verify_dump: return verify_dump(session);
    case MetaAction::set_gi: return set_gi(session);
    case MetaAction::read_dev_uuid: return read_dev_uuid(session);
    case MetaAction::write_dev_uuid: return write_dev_uuid(session);
  }
  return exit_usage;
}

int run(const MetaCall& call, Console& console, const std::string& command_line) {
  // A file that holds meta data already was meant when they were created.
  const bool accept_file = call.force || call.command->action != MetaAction::create_md;
  OpenRequest request{call.meta_device, accept_file, false};
  bool stale = false;
  Result<std::unique_ptr<MetaDevice>> device = open_meta_device(request);
  if (!device && device.error().fault() == Fault::busy && call.force && !call.command->writes) {
    console.err("{} is in use; reading it all the same\n", call.meta_device);
    request.share = true;
    stale = true;
    device = open_meta_device(request);
  }
  // While the device is attached nothing has to be moved, only noted.
  if (!device && device.error().fault() == Fault::busy &&
      call.command->action == MetaAction::check_resize) {
    request.share = true;
    device = open_meta_device(request);
  }
  if (!device) return cannot_open(call, console, device.error());
  const int code = check_device(call, **device, console);
  if (code != exit_ok) return code;
  Session session{call, **device, console, stale};
  const int result = perform(session, command_line);
  if (result == exit_ok && call.command->writes) remember_size(session);
  return result;
}

}  // namespace

int run_drbdmeta(std::span<const std::string> arguments, std::FILE* in, std::FILE* out,
                 std::FILE* err) {
  const MetaCall call = parse_meta_call(arguments);
  Console console(in, out, err, call.force);
  if (!call.problem.empty()) console.err("{}\n", call.problem);
  if (call.show_usage) console.out("{}", usage_text());
  if (call.exit_code != 0) {
    console.finish();
    return call.exit_code;
  }
  if (!call.warning.empty()) console.err("{}\n", call.warning);
  std::string command_line = "drbdmeta";
  for (const std::string& argument : arguments)
    command_line += " " + argument;
  const int code = run(call, console, command_line);
  return console.finish() || code != exit_ok ? code : exit_failed;
}

}  // namespace replicator::metatool
