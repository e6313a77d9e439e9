// Which of the facts are well, and what to do about the others. Pure (docs/doctor.md).
#pragma once

#include "doctor/facts.hpp"
#include "doctor/finding.hpp"

namespace replicator::doctor {

Findings judge_kernel(const KernelFacts& facts);
Findings judge_protection(const ProtectionFacts& facts);
Findings judge_system(const SystemFacts& facts, DaemonState daemon);
Findings judge_configuration(const ConfigurationFacts& facts, const std::string& node);
Findings judge_resource(const ResourceFacts& facts, DaemonState daemon);
Findings judge_volume(const VolumeFacts& facts, const std::string& resource);
Findings judge_failover(const FailoverFacts& facts);

// All of them, in the order in which they are to be repaired.
Findings judge(const Facts& facts);

}  // namespace replicator::doctor
