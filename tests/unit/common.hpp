// What nearly every unit test includes, compiled once (clang only: Makefile). A test includes what
// it needs all the same; g++ builds without this.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <coroutine>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>
