// The last stage: see graph.cpp.
#pragma once

#include "ha/policy/stages.hpp"
