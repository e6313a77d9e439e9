#include "fuse/proc_file.hpp"

namespace replicator::shim {

Task<Result<std::unique_ptr<ProcFile>>> ProcFile::mount(uring::Reactor& reactor,
                                                        TextFile::Generate generate) {
  std::unique_ptr<ProcFile> self(new ProcFile(std::move(generate)));
  DirectoryOptions options;
  options.path = "/run/pollux/proc";
  options.for_everybody = true;
  options.requests_in_a_row = 4;  // each may ask for the state of everything
  Result<std::unique_ptr<Directory>> mounted =
      co_await Directory::mount(reactor, std::move(options));
  if (!mounted) co_return tl::unexpected(mounted.error());
  self->directory_ = std::move(*mounted);
  self->directory_->add("drbd", self->file_);
  co_return std::move(self);
}

Task<void> ProcFile::unmount() {
  directory_->remove(file_);
  co_await directory_->unmount();
}

}  // namespace replicator::shim
