{{ changes('demographics', 'demographics') }}
