#include "traces/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace twinwalk {
namespace {

class MemorySource : public Source {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  bool Read(uint64_t offset, void* to, size_t size) override {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return false;
    if (size != 0) std::memcpy(to, bytes_.data() + offset, size);
    return true;
  }

 private:
  std::string_view bytes_;
};

class OwningSource : public MemorySource {
 public:
  explicit OwningSource(std::unique_ptr<std::string> bytes)
      : MemorySource(*bytes), bytes_(std::move(bytes)) {}

 private:
  std::unique_ptr<std::string> bytes_;
};

class FileSource : public Source {
 public:
  FileSource(int fd, uint64_t size) : fd_(fd), size_(size) {}
  ~FileSource() override { close(fd_); }
  uint64_t size() const override { return size_; }
  bool Read(uint64_t offset, void* to, size_t size) override {
    if (offset > size_ || size > size_ - offset) return false;
    auto* at = static_cast<char*>(to);
    while (size > 0) {
      const ssize_t n = pread(fd_, at, size, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      at += n, offset += static_cast<uint64_t>(n), size -= static_cast<size_t>(n);
    }
    return true;
  }

 private:
  int fd_;
  uint64_t size_;
};

Status Failed(const std::string& path) {
  return Status{std::strerror(errno), path, 0, 0};
}

// Takes the fd.
Result<std::unique_ptr<Source>> Slurp(int fd, const std::string& path, uint64_t max_bytes) {
  const FileSource closer(fd, 0);
  auto bytes = std::make_unique<std::string>();
  char block[1 << 16];
  for (;;) {
    const ssize_t n = read(fd, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed(path);
    if (n == 0) break;
    if (bytes->size() + static_cast<size_t>(n) > max_bytes)
      return Status{"larger than " + std::to_string(max_bytes) + " bytes", path, 0, 0};
    bytes->append(block, static_cast<size_t>(n));
  }
  return std::unique_ptr<Source>(std::make_unique<OwningSource>(std::move(bytes)));
}

}  // namespace

std::unique_ptr<Source> Source::Memory(std::string_view bytes) {
  return std::make_unique<MemorySource>(bytes);
}

Result<std::unique_ptr<Source>> Source::File(const std::string& path, uint64_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed(path);
  struct stat status;
  if (fstat(fd, &status) != 0) {
    const Status failed = Failed(path);
    close(fd);
    return failed;
  }
  if (!S_ISREG(status.st_mode)) return Slurp(fd, path, max_bytes);
  return std::unique_ptr<Source>(
      std::make_unique<FileSource>(fd, static_cast<uint64_t>(status.st_size)));
}

Result<std::string> ReadAll(Source& source, const std::string& name, uint64_t max_bytes) {
  if (source.size() > max_bytes)
    return Status{"larger than " + std::to_string(max_bytes) + " bytes", name, 0, 0};
  std::string bytes(source.size(), '\0');
  if (!source.Read(0, bytes.data(), bytes.size())) return Status{"cannot be read", name, 0, 0};
  return bytes;
}

}  // namespace twinwalk
