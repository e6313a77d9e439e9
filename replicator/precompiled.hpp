// What nearly every source includes, compiled once (clang only: Makefile). A file includes what it
// needs all the same; g++ builds without this.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "io/task.hpp"
