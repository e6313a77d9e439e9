// The daemon of one node: all resources, their NBD sockets and kernel devices, the control socket
// and the live proc/drbd. One thread. Commands that change a resource take turns on it, from
// finding the object to the answer: nobody else takes it away while one of them is suspended.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/messages.hpp"
#include "control/server.hpp"
#include "daemon/event_hub.hpp"
#include "daemon/event_source.hpp"
#include "daemon/generation_files.hpp"
#include "daemon/json_lines.hpp"
#include "daemon/metrics_server.hpp"
#include "daemon/recent_lines.hpp"
#include "daemon/restore_decision.hpp"
#include "daemon/running_record.hpp"
#include "daemon/undo_files.hpp"
#include "devices/kernel_device.hpp"
#include "devices/kernel_devices.hpp"
#include "engine/flow/resource.hpp"
#include "frontend/nbd/server.hpp"
#include "fuse/proc_file.hpp"
#include "io/buffer_pool.hpp"
#include "uring/reactor.hpp"

namespace replicator {

struct DaemonOptions {
  std::string run_directory = "/run/pollux";
  std::string undo_directory = default_undo_directory;
  std::string generations_directory = default_generations_directory;
  shim::KernelDeviceOptions kernel_devices;
  bool restore = false;                       // what a daemon before this one ran
  io::Address metrics_address;                // none: metrics are not served
  const RecentLines* recent_lines = nullptr;  // null: `explain` shows none
  JsonLines* json_log = nullptr;              // to be told the names of resources
};

class Daemon final : public control::CommandHandler {
 public:
  Daemon(uring::Reactor& reactor, DaemonOptions options);
  ~Daemon() override;

  // Control socket, proc/drbd, volume files. Fault::busy: another daemon runs here.
  Task<Status> start();
  // After `upgrade`: everything down in order, but for the devices, which wait for the successor.
  // Nothing answered is lost. The process is to become the successor next.
  Task<void> leave_to_successor();
  // Its program; empty unless an upgrade was asked for.
  [[nodiscard]] const std::string& successor() const noexcept { return successor_; }
  // For it: the control socket, where clients wait meanwhile.
  [[nodiscard]] int control_listener() const noexcept;
  // Everything down in order; nothing answered is lost.
  Task<void> stop();
  Task<control::Reply> handle(control::Request request, io::Stream& caller) override;
  [[nodiscard]] bool may_wait(const control::Request& request) const override;
  [[nodiscard]] bool streams(const control::Request& request) const override;
  Task<void> stream(control::Request request, io::Stream& caller) override;
  [[nodiscard]] bool stop_requested() const noexcept { return stop_requested_; }
  // One line for a service manager.
  [[nodiscard]] std::string service_status() const;

 private:
  using Reply = control::Reply;
  using Request = control::Request;
  // What a volume has outside the engine.
  struct Exports {
    std::unique_ptr<NbdServer> nbd;
    std::unique_ptr<shim::KernelDevice> device;
  };
  struct Entry {
    Entry(io::BufferPool& shared_incoming, io::BufferPool& shared_replies);
    io::BufferPool incoming;
    io::BufferPool replies;
    std::unique_ptr<Resource> resource;
    std::string peer_name;
    ResourceOptions options;
    std::map<std::uint32_t, Exports> exports;  // by volume number
    io::Semaphore turn{1};
  };
  struct Place {
    Entry* entry = nullptr;
    Volume* volume = nullptr;
  };

  // The resource that a command is about, by name, minor or addresses.
  std::shared_ptr<Entry> subject(const Request& request);
  std::shared_ptr<Entry> share(const Entry* entry);
  Entry* find_resource(const std::string& name);
  Place find_minor(const std::string& minor);  // digits; leading zeros mean nothing
  Place find_minor(std::uint32_t minor);
  // By resource name or minor.
  Entry* find_object(const std::string& object);
  Entry* find_by_addresses(const std::vector<std::string>& arguments);

  Task<Reply> dispatch(Request request, io::Stream& caller);
  Task<Reply> in_turn(const Request& request, io::Stream& caller);
  Task<Reply> carry_out(const Request& request);
  Reply new_resource(const Request& request);
  Task<Reply> new_minor(const Request& request);
  Task<Reply> del_minor(const Request& request);
  Task<Reply> del_resource(const Request& request);
  Task<Reply> attach(const Request& request);
  Task<Reply> connect(const Request& request);
  Task<Reply> disconnect(const Request& request);
  Task<Reply> primary(const Request& request);
  Task<Reply> secondary(const Request& request);
  Task<Reply> down(const Request& request);
  Task<Reply> on_volume(const Request& request);  // detach, invalidate, pause-sync and the like
  Task<Reply> resize(const Request& request, Resource& resource, std::uint32_t number);
  Task<void> follow_size(std::shared_ptr<Entry> entry, std::uint32_t number);
  Task<Reply> wait_for(const Request& request, io::Stream& caller);
  Reply suspension(const Request& request);
  void force_disk_off(const Request& request);
  Reply disk_options(const Request& request);
  Reply net_options(const Request& request);
  Reply resource_options(const Request& request);
  Reply events(const Request& request);
  Reply status(const Request& request);
  Reply show(const Request& request);
  Reply generations(const Request& request);
  Task<Reply> report(const Request& request);
  Reply explain(const Request& request);
  Reply marked_ranges(const Request& request);

  // What runs, for a daemon after this one; and what ran (restore.cpp).
  std::string resource_of(const Request& request);
  void remember(const std::string& resource, const Request& request);
  void save_running();
  Task<void> restore();
  Task<void> restore_configuration();
  Task<void> restore_resource(std::string name, std::vector<Request> requests);
  Task<Reply> replay(const Request& request);
  Task<void> restored_within(Duration patience);
  [[nodiscard]] RestoreSituation situation_of(Entry& entry, const control::OptionMap* left) const;
  Task<void> restore_role(std::string name);
  Task<bool> promote_again(std::shared_ptr<Entry> entry, Request request, bool last);
  void report_pauses(const std::string& name);
  // The way out (upgrade.cpp).
  Task<Reply> upgrade(const Request& request);
  [[nodiscard]] std::optional<std::string> reason_to_stay(const std::string& program) const;
  [[nodiscard]] std::vector<shim::KernelDevice*> promoted_devices() const;
  Task<bool> take_all_turns();
  Task<bool> hold_devices();
  Task<void> leave_resource(Entry& entry);
  static bool users_wait(const Entry& entry);
  Reply upgrade_report();

  Task<void> mount_files();
  Task<void> open_devices(Entry& entry, Reply& reply);
  // Code device_in_use and who it is, when a device is open.
  Task<Reply> close_devices(Entry& entry);
  static Task<void> tell_users(shim::KernelDevice& device, Reply& reply);
  Task<bool> release_devices(Entry& entry);
  static Reply nbd_users(Entry& entry);
  Task<void> remove_exports(Exports& exports);
  Task<void> remove_entry(std::string name);
  [[nodiscard]] std::vector<ResourceStatus> all_status() const;
  [[nodiscard]] std::string metrics() const;

  uring::Reactor& reactor_;
  DaemonOptions options_;
  io::BufferPool incoming_;
  io::BufferPool replies_;
  UndoFiles undo_files_;
  GenerationFiles generation_files_;
  EventHub events_;
  EventSource event_source_;
  ResyncOrder resync_order_;
  // Who waits for its turn keeps the entry, not the resource's place in here.
  std::map<std::string, std::shared_ptr<Entry>> resources_;
  control::Server server_;
  MetricsServer metrics_server_;
  std::unique_ptr<shim::ProcFile> proc_;
  shim::KernelDevices kernel_devices_;
  bool stop_requested_ = false;
  RunningRecord running_;
  std::uint64_t instance_;  // differs from that of any other daemon
  std::string successor_;
  Instant held_;                     // since when no request is taken from the kernel
  std::vector<std::string> pauses_;  // of devices that were taken over, for people
  std::vector<std::unique_ptr<io::Semaphore::Take>> turns_;  // all of them, while it leaves
  io::Gate restoring_;
  io::Gate size_tasks_;  // last: its frames refer to everything above
};

}  // namespace replicator
