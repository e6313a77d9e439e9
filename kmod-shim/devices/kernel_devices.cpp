#include "devices/kernel_devices.hpp"

#include <fmt/core.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "devices/fallback.hpp"
#include "devices/fuse_loop.hpp"
#include "devices/left_behind.hpp"
#include "devices/loop_record.hpp"
#include "nbd/attachment.hpp"
#include "nbd/device.hpp"
#include "nbd/netlink.hpp"
#include "off_thread.hpp"
#include "ublk/attachment.hpp"
#include "ublk/device.hpp"

namespace replicator::shim {

namespace {

std::string volume_name(const DeviceNames& names) {
  return fmt::format("{}-{}", names.resource, names.volume);
}

std::unique_ptr<Attachment> one_after_the_other(std::unique_ptr<Attachment> first,
                                                std::unique_ptr<Attachment> second) {
  if (first == nullptr) return second;
  if (second == nullptr) return first;
  return std::make_unique<FallbackAttachment>(std::move(first), std::move(second));
}

}  // namespace

KernelDevices::KernelDevices(uring::Reactor& reactor, KernelDeviceOptions options)
    : reactor_(reactor),
      options_(options),
      ublk_(std::make_unique<ublk::DriverControl>()),
      nbd_(std::make_unique<kernel_nbd::KernelControl>()),
      left_by_ublk_(std::make_unique<ublk::UblkLeftBehind>(*ublk_)),
      left_by_nbd_(std::make_unique<kernel_nbd::NbdLeftBehind>(*nbd_, nbd_records)),
      keeper_(options.keeper != nullptr ? *options.keeper : no_keeper_) {}

KernelDevices::~KernelDevices() = default;

Task<void> KernelDevices::start() {
  co_await look_around();
  const bool fuse_wanted = ways_.fuse;
  ways_.fuse = ways_.fuse && fuse_offered();
  if (fuse_wanted && !ways_.any()) log::warning("no /dev/drbdN, only NBD sockets: no /dev/fuse");
  if (ways_.fuse) volume_buffers_ = buffers_of_volumes();
  co_await sort_out_left_behind();
}

Task<void> KernelDevices::look_around() {
  const bool best = options_.wish == DeviceWish::best;
  const auto ask_ublk = [this] { return ublk::offered_features(*ublk_); };
  const auto ask_nbd = [] { return kernel_nbd::look_for_client(); };
  Result<std::uint64_t> ublk = failure(Fault::unsupported, "not asked for");
  Status nbd(Fault::unsupported, "not asked for");
  if (best || options_.wish == DeviceWish::ublk) {
    const Result<std::uint64_t> asked = co_await off_thread(reactor_, ask_ublk);
    ublk = asked;
  }
  if (best || options_.wish == DeviceWish::nbd) {
    const Status asked = co_await off_thread(reactor_, ask_nbd);
    nbd = asked;
  }
  DeviceOffers offers;
  offers.ublk = ublk.has_value();
  offers.nbd = nbd.ok();
  ublk_features_ = ublk.value_or(0);
  ways_ = choose(options_.wish, offers);
  tell(ublk, nbd);
}

void KernelDevices::tell(const Result<std::uint64_t>& ublk, const Status& nbd) const {
  const bool best = options_.wish == DeviceWish::best;
  if (ways_.ublk) {
    log::info("/dev/drbdN by ublk, {} queue(s) of {} requests", options_.ublk_queues,
              options_.ublk_depth);
  } else if (ways_.nbd) {
    log::info("/dev/drbdN by nbd{}{}", best ? ", not by ublk: " : "",
              best ? ublk.error().where() : "");
  } else if (best) {
    log::info("/dev/drbdN by FUSE and loop devices, not by ublk: {}; not by nbd: {}",
              ublk.error().where(), nbd.where());
  } else if (!ways_.any() && options_.wish != DeviceWish::none) {
    log::warning("no /dev/drbdN, only NBD sockets: {}",
                 options_.wish == DeviceWish::ublk ? ublk.error().where() : nbd.where());
  }
}

Task<void> KernelDevices::sort_out_left_behind() {
  std::vector<std::string> waiting;
  std::vector<std::string> lost;
  const auto work = [this, &waiting, &lost] {
    const auto sort_out = [&waiting, &lost](LeftBehind& left, bool used) {
      for (const DeviceRecord& record : left.sort_out(used))
        (used ? waiting : lost)
            .push_back(fmt::format("{}, which was drbd{} of {}", left.name(record), record.minor,
                                   record.volume));
    };
    sort_out(*left_by_ublk_, ways_.ublk);
    sort_out(*left_by_nbd_, ways_.nbd);
    for (const LoopRecord& record : sort_out_loops(keeper_, ways_.fuse))
      waiting.push_back(fmt::format("loop{}, which was drbd{} of {}", record.loop.number,
                                    record.minor, record.volume));
    return true;
  };
  co_await off_thread(reactor_, work);
  for (const std::string& device : lost)
    log::error("{}: this daemon has no devices that way, its users see errors", device);
  for (const std::string& device : waiting)
    log::info("{}, waits until that is Primary again, or down", device);
}

// What waits for this volume; what waits for another one under its minor is let go.
std::optional<LoopRecord> KernelDevices::waiting_loop(const std::string& volume,
                                                      std::uint32_t minor) {
  std::optional<LoopRecord> record = read_loop_record(minor);
  if (!record || (record->volume == volume && waits(keeper_, *record))) return record;
  let_go(keeper_, *record);
  return std::nullopt;
}

Task<std::unique_ptr<Attachment>> KernelDevices::attachment(io::BlockDevice& volume,
                                                            DeviceNames names) {
  std::unique_ptr<Attachment> ublk;
  std::unique_ptr<Attachment> nbd;
  std::unique_ptr<Attachment> fuse;
  if (ways_.ublk) {
    std::unique_ptr<Attachment> made = co_await by_ublk(volume, names);
    ublk = std::move(made);
  }
  if (ways_.nbd) {
    std::unique_ptr<Attachment> made = co_await by_nbd(volume, names);
    nbd = std::move(made);
  }
  if (ways_.fuse) {
    std::unique_ptr<Attachment> made = co_await by_fuse(volume, names);
    fuse = std::move(made);
  }
  std::unique_ptr<Attachment> others = one_after_the_other(std::move(nbd), std::move(fuse));
  co_return one_after_the_other(std::move(ublk), std::move(others));
}

Task<std::unique_ptr<Attachment>> KernelDevices::by_ublk(io::BlockDevice& volume,
                                                         DeviceNames names) {
  const std::string name = volume_name(names);
  const auto look = [this, &name, minor = names.minor] {
    return left_by_ublk_->waiting_for(minor, name);
  };
  std::optional<DeviceRecord> waiting = co_await off_thread(reactor_, look);
  ublk::Options options;
  options.queues = options_.ublk_queues;
  options.depth = options_.ublk_depth;
  options.survives = options_.survive;
  options.features = ublk_features_;
  co_return std::make_unique<ublk::UblkAttachment>(reactor_, *ublk_, volume, reactor_.buffers(),
                                                   options, name, names.minor, std::move(waiting));
}

Task<std::unique_ptr<Attachment>> KernelDevices::by_nbd(io::BlockDevice& volume,
                                                        DeviceNames names) {
  const std::string name = volume_name(names);
  const auto look = [this, &name, minor = names.minor] {
    return left_by_nbd_->waiting_for(minor, name);
  };
  std::optional<DeviceRecord> waiting = co_await off_thread(reactor_, look);
  co_return std::make_unique<kernel_nbd::NbdAttachment>(reactor_, *nbd_, volume, name, names.minor,
                                                        std::move(waiting));
}

Task<std::unique_ptr<Attachment>> KernelDevices::by_fuse(io::BlockDevice& volume,
                                                         DeviceNames names) {
  const std::string name = volume_name(names);
  const auto look = [this, &name, minor = names.minor] { return waiting_loop(name, minor); };
  std::optional<LoopRecord> waiting = co_await off_thread(reactor_, look);
  const VolumeMounts mounts{reactor_, *volume_buffers_, keeper_, options_.survive};
  co_return std::make_unique<FuseLoopAttachment>(mounts, volume, reactor_.buffers(), name,
                                                 names.minor, std::move(waiting));
}

Task<Result<std::unique_ptr<KernelDevice>>> KernelDevices::create(io::BlockDevice& volume,
                                                                  DeviceNames names) {
  std::unique_ptr<Attachment> way = co_await attachment(volume, names);
  co_return co_await KernelDevice::create(reactor_, std::move(way), std::move(names));
}

Task<void> KernelDevices::give_up_waiting(std::string resource) {
  const auto work = [this, &resource] {
    left_by_ublk_->give_up(resource);
    left_by_nbd_->give_up(resource);
    for (const LoopRecord& record : read_loop_records())
      if (record.volume.substr(0, record.volume.rfind('-')) == resource) let_go(keeper_, record);
    return true;
  };
  co_await off_thread(reactor_, work);
}

}  // namespace replicator::shim
