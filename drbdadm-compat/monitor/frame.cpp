#include "monitor/frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "monitor/pages.hpp"

namespace replicator::monitor {
namespace {

constexpr std::size_t role_width = 19;
constexpr std::size_t connection_width = 14;
constexpr std::size_t disk_width = 25;
constexpr std::size_t state_width = 21;
constexpr std::size_t longest_name = 64;

using Lines = std::vector<Line>;

std::size_t name_width(std::size_t width) {
  const std::size_t others = width < narrow ? 2 + 1 + 3 + 1 + state_width
                                            : 2 + 3 + role_width + connection_width + disk_width;
  return std::clamp<std::size_t>(width > others ? width - others : 0, 8, longest_name);
}

char mark_of(Health health) noexcept {
  switch (health) {
    case Health::good: return ' ';
    case Health::busy: return '%';
    case Health::bad: return '!';
  }
  return ' ';
}

std::string both(std::string_view ours, std::string_view theirs) {
  return fmt::format("{}/{}", ours, theirs);
}

std::string title_of(const Model& model, std::string_view clock, std::size_t width) {
  std::size_t counts[3] = {0, 0, 0};
  for (const auto& [name, resource] : model.resources)
    ++counts[static_cast<std::size_t>(words_of(resource).health)];
  std::string left = fmt::format(" drbdmon {}", model.node);
  if (model.complete) {
    const std::size_t all = model.resources.size();
    left += fmt::format("  {} resource{}", all, all == 1 ? "" : "s");
    if (counts[2] != 0) left += fmt::format("  ! {}", counts[2]);
    if (counts[1] != 0) left += fmt::format("  % {}", counts[1]);
  }
  const std::size_t needed = clock.size() + 1;
  if (width < left.size() + needed + 1) return fitted(left, width);
  return fitted(left, width - needed) + std::string(clock) + " ";
}

std::string columns(std::size_t width) {
  const std::string name = fitted("resource", name_width(width));
  if (width < narrow) return fitted("  " + name + " rol state", width);
  return fitted("  " + name + " " + fitted("role", role_width) + " " +
                    fitted("connection", connection_width) + " disk",
                width);
}

// "Connected" says nothing while there is more to say.
std::string link_word(const ResourceWords& words, const VolumeWords& volume) {
  const bool between = volume.replication != "Established" && volume.replication != "Off";
  return words.connection == "Connected" && between ? volume.replication : words.connection;
}

std::string worst_word(const ResourceWords& words, const VolumeWords& volume) {
  if (words.suspended != "no") return "suspended:" + words.suspended;
  const std::string link = link_word(words, volume);
  return link != "Connected" ? link : both(volume.disk, volume.peer_disk);
}

struct Row {
  std::string name;
  Health health = Health::good;
  std::string role;
  std::string role_letters;
  std::string link;
  std::string disk;
  std::string state;  // instead of link and disk where it is narrow
};

Line line_of(const Row& row, bool chosen, std::size_t width) {
  const std::string front{chosen ? '>' : ' ', mark_of(row.health)};
  const std::string name = fitted(row.name, name_width(width));
  std::string behind;
  if (width < narrow) {
    behind = " " + fitted(row.role_letters, 3) + " " + fitted(row.state, state_width);
  } else {
    const std::size_t taken = 2 + name.size() + 3 + role_width + connection_width;
    behind = " " + fitted(row.role, role_width) + " " + fitted(row.link, connection_width) + " " +
             fitted(row.disk, std::max(disk_width, width > taken ? width - taken : 0));
  }
  const Tone tone = tone_of(row.health);
  return cut({{front, tone}, {name, chosen ? Tone::chosen : Tone::plain}, {behind, tone}}, width);
}

Row row_of(std::string_view name, const Resource& resource) {
  const ResourceWords words = words_of(resource);
  Row row;
  row.name = name;
  row.health = words.health;
  row.role = both(words.role, words.peer_role);
  row.role_letters = both(words.role.substr(0, 1), words.peer_role.substr(0, 1));
  row.link = words.connection;
  const std::size_t volumes = resource.volumes.size();
  if (volumes == 1) {
    const VolumeWords volume = words_of(resource, resource.volumes.begin()->first);
    row.link = link_word(words, volume);
    row.disk = both(volume.disk, volume.peer_disk);
    row.state = worst_word(words, volume);
  } else {
    row.disk = volumes == 0 ? "no volumes" : fmt::format("{} volumes", volumes);
    row.state = words.connection == "Connected" ? row.disk : words.connection;
  }
  if (words.suspended != "no") row.disk += " suspended:" + words.suspended;
  return row;
}

Row row_of(const Resource& resource, unsigned number, const Values& values) {
  const VolumeWords volume = words_of(resource, number);
  Row row;
  row.name = fmt::format("  /{} minor {}", number, value_of(values, "minor", "?"));
  row.health = volume.health;
  row.link = volume.replication;
  row.disk = both(volume.disk, volume.peer_disk);
  row.state = volume.health == Health::busy ? volume.replication : row.disk;
  return row;
}

void add_resource(Lines& lines, std::string_view name, const Resource& resource, bool chosen,
                  std::size_t width) {
  lines.push_back(line_of(row_of(name, resource), chosen, width));
  for (const auto& [number, values] : resource.volumes) {
    if (resource.volumes.size() > 1)
      lines.push_back(line_of(row_of(resource, number, values), false, width));
    const Values* peer = peer_of(resource, number);
    if (has_progress(peer)) lines.push_back(cut(progress_line(*peer, 4, width), width));
  }
}

std::string nothing_to_show(const Model& model) {
  if (!model.trouble.empty()) return model.trouble;
  return model.complete ? "no resources are configured" : "waiting for the daemon";
}

struct List {
  Lines lines;
  std::size_t cursor = 0;  // its first line
};

List list_of(const Model& model, const View& view, std::size_t width, bool with_cursor) {
  List list;
  const std::string_view chosen = with_cursor ? current(model, view) : std::string_view();
  for (const std::string_view name : order_of(model, view)) {
    if (name == chosen) list.cursor = list.lines.size();
    add_resource(list.lines, name, model.resources.find(name)->second, name == chosen, width);
  }
  if (!list.lines.empty()) return list;
  for (const std::string& part :
       wrapped(nothing_to_show(model), width - std::min<std::size_t>(width, 2)))
    list.lines.push_back({{"  " + part, model.trouble.empty() ? Tone::dim : Tone::bad}});
  return list;
}

// `count` lines of them from `first` on, blank ones where there are no more.
Lines window(Lines lines, std::size_t first, std::size_t count) {
  first = std::min(first, lines.size() > count ? lines.size() - count : 0);
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(first));
  lines.resize(count);
  return lines;
}

void append(Lines& lines, Lines more) {
  for (Line& line : more)
    lines.push_back(std::move(line));
}

// The last events under a heading; none where there is no room.
Lines events_pane(const Model& model, Size size) {
  const std::size_t height = size.height >= 16 ? std::min<std::size_t>(10, size.height / 4) : 0;
  Lines lines;
  if (height == 0) return lines;
  lines.push_back({{fitted("  events", size.width), Tone::bar}});
  const std::size_t shown = std::min(height - 1, model.events.size());
  for (std::size_t i = model.events.size() - shown; i < model.events.size(); ++i) {
    const RecentEvent& event = model.events[i];
    lines.push_back({{"  " + event.time + " ", Tone::dim}, {event.text, Tone::plain}});
  }
  lines.resize(height);
  return lines;
}

std::string question(const View& view) {
  const std::string command = command_text(view);
  if (needs_yes(view.verb))
    return fmt::format("{}: throws the data of this node away. Type yes and Enter, or Esc: {}_",
                       command, view.typed);
  return fmt::format("{}: y runs it, any other key does not", command);
}

// As many as there is room for; the help has them all.
std::string keys(bool list, std::size_t width) {
  static constexpr std::string_view in_list[] = {
      "q quit",      "h help",    "Enter details", "o order",  "p primary",
      "s secondary", "c connect", "d disconnect",  "v verify", "i invalidate"};
  static constexpr std::string_view in_page[] = {"q back", "j k scroll"};
  std::string text;
  for (const std::string_view key : list ? std::span<const std::string_view>(in_list)
                                         : std::span<const std::string_view>(in_page)) {
    if (text.size() + 2 + key.size() > width) break;
    text.append(text.empty() ? "" : "  ").append(key);
  }
  return text;
}

Lines bottom(const View& view, std::size_t width) {
  Lines lines;
  if (view.mode == Mode::confirm || view.mode == Mode::running) {
    const std::string text =
        view.mode == Mode::confirm ? question(view) : command_text(view) + " is running";
    for (std::string& part : wrapped(text, width))
      lines.push_back({{std::move(part), Tone::busy}});
    return lines;
  }
  lines.push_back({{fitted(keys(view.mode == Mode::list, width), width), Tone::bar}});
  return lines;
}

std::string page_title(const View& view) {
  if (view.mode == Mode::help) return "  keys and marks";
  if (view.mode == Mode::result) return "  " + command_text(view);
  return "  " + view.selected;
}

bool is_page(Mode mode) noexcept {
  return mode == Mode::details || mode == Mode::help || mode == Mode::result;
}

Lines list_part(const Model& model, const View& view, Size size, std::size_t height) {
  Lines lines{{{columns(size.width), Tone::dim}}};
  Lines events = events_pane(model, size);
  const std::size_t room = height > 1 + events.size() ? height - 1 - events.size() : 0;
  List list = list_of(model, view, size.width, true);
  const std::size_t middle = room / 2;
  const std::size_t first = list.cursor > middle ? list.cursor - middle : 0;
  append(lines, window(std::move(list.lines), first, room));
  append(lines, std::move(events));
  return lines;
}

Lines page_part(const Model& model, const View& view, Size size, std::size_t height) {
  Lines lines{{{fitted(page_title(view), size.width), Tone::dim}}};
  append(lines, window(page_of(model, view, size), view.scroll,
                       height - std::min<std::size_t>(height, 1)));
  return lines;
}

}  // namespace

std::vector<Line> frame(const Model& model, const View& view, Size size, std::string_view clock) {
  Lines lines{{{title_of(model, clock, size.width), Tone::bar}}};
  View shown = view;
  // A question stands below what it is about.
  if (view.mode == Mode::confirm || view.mode == Mode::running) shown.mode = view.below;
  Lines last = bottom(view, size.width);
  const std::size_t taken = 1 + last.size();
  const std::size_t height = size.height > taken ? size.height - taken : 0;
  append(lines, window(is_page(shown.mode) ? page_part(model, shown, size, height)
                                           : list_part(model, shown, size, height),
                       0, height));
  append(lines, std::move(last));
  lines.resize(size.height);
  for (Line& line : lines)
    line = cut(std::move(line), size.width);
  return lines;
}

std::vector<Line> whole_list(const Model& model, const View& view, std::size_t width,
                             std::string_view clock) {
  Lines lines{{{title_of(model, clock, width), Tone::bar}}, {{columns(width), Tone::dim}}};
  append(lines, list_of(model, view, width, false).lines);
  for (Line& line : lines)
    line = cut(std::move(line), width);
  return lines;
}

}  // namespace replicator::monitor
