#include "traces/import_builder.h"

namespace twinwalk {

void ImportBuilder::Count(std::map<std::string, uint64_t>* counts, const std::string& name) {
  const std::string key = name.substr(0, kMaxName);
  const bool fits = counts->size() < kMaxNames || counts->count(key) > 0;
  ++(*counts)[fits ? key : "(others)"];
}

Handle ImportBuilder::Add(Op op) {
  std::vector<Op>& ops = out_->trace.ops;
  const uint64_t bytes = op.blob.size() + (op.recorded ? op.recorded->out.size() : 0);
  if (ops.size() >= limits_.ops || payload_ + bytes > limits_.payload_bytes) {
    full_ = true;
    return kDanglingHandle;
  }
  payload_ += bytes;
  ops.push_back(std::move(op));
  ++stats().ops;
  return static_cast<Handle>(ops.size() - 1);
}

std::optional<uint8_t> ImportBuilder::Process(uint64_t pid) {
  if (auto it = processes_.find(pid); it != processes_.end()) return it->second;
  const size_t index = processes_.size();
  if (index >= kMaxProcesses) return std::nullopt;
  // The recorders ran as root: nothing was ever refused for a capability or a limit.
  if (world().processes.size() <= index) {
    ProcessConfig root;
    root.ipcLock = root.rawIo = root.sysResource = true;
    world().processes.resize(index + 1, root);
  }
  return processes_[pid] = static_cast<uint8_t>(index);
}

}  // namespace twinwalk
