{{ changes('classes', 'classes') }}
