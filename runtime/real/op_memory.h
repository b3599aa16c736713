// OpMemory: room for one pending operation of the loop inside the object it belongs to, so that waiting for a socket
// allocates nothing.
#pragma once

#include <cstddef>
#include <new>

namespace millrace::real {

class OpMemory {
 public:
  OpMemory() = default;
  OpMemory(const OpMemory&) = delete;

  void* allocate(size_t bytes) {
    if (used_ || bytes > sizeof room_) return ::operator new(bytes);
    used_ = true;
    return room_;
  }
  void release(void* memory) {
    if (memory == room_) {
      used_ = false;
    } else {
      ::operator delete(memory);
    }
  }

 private:
  alignas(std::max_align_t) std::byte room_[256];
  bool used_ = false;
};

// The same as a standard allocator, which is what Asio asks a handler for.
template <class T>
struct OpAllocator {
  using value_type = T;
  OpMemory* memory;

  explicit OpAllocator(OpMemory& memory_) : memory(&memory_) {}
  template <class U>
  OpAllocator(const OpAllocator<U>& other) : memory(other.memory) {}
  T* allocate(size_t count) { return static_cast<T*>(memory->allocate(count * sizeof(T))); }
  void deallocate(T* at, size_t) { memory->release(at); }
  template <class U>
  bool operator==(const OpAllocator<U>& other) const {
    return memory == other.memory;
  }
};

// A handler that calls `then` and keeps its operation in `memory`.
template <class Then>
struct InPlace {
  using allocator_type = OpAllocator<void>;
  OpMemory& memory;
  Then then;

  allocator_type get_allocator() const { return allocator_type(memory); }
  template <class... Args>
  void operator()(Args&&... args) {
    then(static_cast<Args&&>(args)...);
  }
};
template <class Then>
InPlace(OpMemory&, Then) -> InPlace<Then>;

}  // namespace millrace::real
