#include "tests/sim/image.hpp"

#include <algorithm>
#include <cstring>

namespace replicator::sim {

namespace {
constexpr std::uint64_t sectors_in_page = block_bytes / sector_bytes;

std::uint8_t mask_of(std::uint64_t first, std::uint64_t count) noexcept {
  return static_cast<std::uint8_t>(((1U << count) - 1U) << first);
}
std::uint64_t index_of(Sector sector) noexcept { return sector.value() % sectors_in_page; }
}  // namespace

Image::Image(ByteCount size) { resize(size); }

void Image::resize(ByteCount size) {
  size_ = size;
  chunks_.resize(ceil_div(size.value(), block_bytes * pages_per_chunk));
}

const Image::Page* Image::find(std::uint64_t page) const noexcept {
  const std::unique_ptr<Chunk>& chunk = chunks_[page / pages_per_chunk];
  return chunk ? &(*chunk)[page % pages_per_chunk] : nullptr;
}

Image::Page& Image::get(std::uint64_t page) noexcept {
  std::unique_ptr<Chunk>& chunk = chunks_[page / pages_per_chunk];
  if (!chunk) chunk = std::make_unique<Chunk>();
  return (*chunk)[page % pages_per_chunk];
}

std::unique_ptr<Image::PageData> Image::fresh() {
  if (spare_.empty()) return std::unique_ptr<PageData>(new PageData);
  std::unique_ptr<PageData> page = std::move(spare_.back());
  spare_.pop_back();
  return page;
}

void Image::recycle(std::unique_ptr<PageData> page) noexcept {
  if (page) spare_.push_back(std::move(page));
}

void Image::read(ByteOffset from, Bytes into) const noexcept {
  ensure(from.value() + into.size() <= round_up(size_.value(), block_bytes));
  std::uint64_t at = from.value();
  while (!into.empty()) {
    const std::uint64_t offset = at % block_bytes;
    const std::uint64_t part = std::min<std::uint64_t>(block_bytes - offset, into.size());
    const Page* page = find(at / block_bytes);
    const Bytes piece = into.first(part);
    if (page != nullptr && page->current) {
      copy_bytes(piece, ConstBytes(*page->current).subspan(offset, part));
    } else {
      fill_bytes(piece, std::byte{0});
    }
    into = into.subspan(part);
    at += part;
  }
}

void Image::read_media(ByteOffset from, Bytes into) const noexcept {
  read(from, into);
  for (std::uint64_t done = 0; done < into.size(); done += sector_bytes) {
    const Sector sector((from.value() + done) / sector_bytes);
    if (!dirty(sector)) continue;
    const Page* page = find(sector.value() / sectors_in_page);
    const Bytes piece = into.subspan(done, sector_bytes);
    if (page->media) {
      copy_bytes(piece,
                 ConstBytes(*page->media).subspan(index_of(sector) * sector_bytes, sector_bytes));
    } else {
      fill_bytes(piece, std::byte{0});
    }
  }
}

void Image::note_dirty(Page& page, std::uint64_t index, std::uint8_t sectors) noexcept {
  const auto newly = static_cast<std::uint8_t>(sectors & ~page.dirty);
  if (newly != 0 && page.current) {
    if (!page.media) {
      page.media = fresh();
      if (page.dirty != 0) page.media->fill(std::byte{0});  // dirty sectors over zeroes
    }
    for (std::uint64_t i = 0; i < sectors_in_page; ++i) {
      if ((newly & (1U << i)) == 0) continue;
      std::memcpy(page.media->data() + i * sector_bytes, page.current->data() + i * sector_bytes,
                  sector_bytes);
    }
  }
  page.dirty = static_cast<std::uint8_t>(page.dirty | sectors);
  if (!page.listed) {
    page.listed = true;
    listed_.push_back(static_cast<std::uint32_t>(index));
  }
}

void Image::store(std::uint64_t index, std::uint64_t offset, ConstBytes data) noexcept {
  Page& page = get(index);
  note_dirty(page, index, mask_of(offset / sector_bytes, data.size() / sector_bytes));
  if (!page.current) {
    page.current = fresh();
    if (data.size() != block_bytes) page.current->fill(std::byte{0});
  }
  copy_bytes(Bytes(*page.current).subspan(offset), data);
}

void Image::write(ByteOffset at, ConstBytes data) noexcept {
  ensure(at.value() + data.size() <= size_.value());
  std::uint64_t place = at.value();
  while (!data.empty()) {
    const std::uint64_t offset = place % block_bytes;
    const std::uint64_t part = std::min<std::uint64_t>(block_bytes - offset, data.size());
    store(place / block_bytes, offset, data.first(part));
    data = data.subspan(part);
    place += part;
  }
}

void Image::write_zeroes(ByteRange range) noexcept {
  static const PageData zeroes{};
  std::uint64_t place = range.begin.value();
  std::uint64_t left = range.length.value();
  while (left > 0) {
    const std::uint64_t offset = place % block_bytes;
    const std::uint64_t part = std::min<std::uint64_t>(block_bytes - offset, left);
    const Page* page = find(place / block_bytes);
    if (page != nullptr && page->current) {
      store(place / block_bytes, offset, ConstBytes(zeroes).first(part));
    }
    place += part;
    left -= part;
  }
}

bool Image::dirty(Sector sector) const noexcept {
  const Page* page = find(sector.value() / sectors_in_page);
  return page != nullptr && (page->dirty & (1U << index_of(sector))) != 0;
}

void Image::keep(Sector sector) noexcept {
  keep(DirtyPage{static_cast<std::uint32_t>(sector.value() / sectors_in_page),
                 mask_of(index_of(sector), 1)});
}

void Image::lose(Sector sector) noexcept {
  if (!dirty(sector)) return;
  Page& page = get(sector.value() / sectors_in_page);
  const std::uint64_t at = index_of(sector) * sector_bytes;
  if (page.media) {
    std::memcpy(page.current->data() + at, page.media->data() + at, sector_bytes);
  } else {
    std::memset(page.current->data() + at, 0, sector_bytes);
  }
  keep(sector);
}

void Image::keep(const DirtyPage& which) noexcept {
  Page& page = get(which.page);
  page.dirty = static_cast<std::uint8_t>(page.dirty & ~which.sectors);
  if (page.dirty == 0) recycle(std::move(page.media));
}

std::vector<Image::DirtyPage> Image::dirty_pages() {
  std::vector<DirtyPage> result;
  std::size_t kept = 0;
  for (const std::uint32_t index : listed_) {
    Page& page = get(index);
    if (page.dirty == 0) {
      page.listed = false;
      continue;
    }
    listed_[kept++] = index;
    result.push_back(DirtyPage{index, page.dirty});
  }
  listed_.resize(kept);
  return result;
}

bool Image::same_block(const Image& other, std::uint64_t block) const noexcept {
  const Page* mine = find(block);
  const Page* theirs = other.find(block);
  const PageData* here = mine != nullptr ? mine->current.get() : nullptr;
  const PageData* there = theirs != nullptr ? theirs->current.get() : nullptr;
  if (here == nullptr) return there == nullptr || all_zero(ConstBytes(*there));
  if (there == nullptr) return all_zero(ConstBytes(*here));
  return std::memcmp(here->data(), there->data(), block_bytes) == 0;
}

std::unique_ptr<Image> Image::copy() const {
  auto result = std::make_unique<Image>(size_);
  for (std::uint64_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    if (!chunks_[chunk]) continue;
    for (std::uint64_t i = 0; i < pages_per_chunk; ++i) {
      const std::uint64_t index = chunk * pages_per_chunk + i;
      const Page& page = (*chunks_[chunk])[i];
      if (!page.current) continue;
      Page& target = result->get(index);
      target.current = result->fresh();
      read_media(ByteOffset(index * block_bytes), Bytes(*target.current));
    }
  }
  return result;
}

}  // namespace replicator::sim
